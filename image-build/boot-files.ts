/** What a board's firmware reads: the kernel, the initramfs, the command line, and what brings it that far. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, gzipSync } from 'node:zlib';
import { ROOT_HASH_WORD } from '../appliance/layout.ts';
import type { Board } from './boards.ts';
import type { BootFile } from './disk.ts';
import { addSections } from './uki.ts';
import type { Verity } from './verity.ts';

/** Options of the kernel, with the requirement of IEC 62443-4-2 (or -3-3) that each serves. */
const HARDENING = [
  'ro',
  'panic=10', // CR 3.6: a known state after a fault
  'oops=panic', // CR 3.6
  'module.sig_enforce=1', // CR 3.4: only drivers that Debian signed
  'lockdown=integrity', // CR 3.4: root cannot change the kernel
  'init_on_alloc=1', // CR 4.2: no remains of information in memory
  'init_on_free=1', // CR 4.2
  'slab_nomerge', // CR 3.2
  'page_alloc.shuffle=1', // CR 3.2
  'vsyscall=none', // CR 7.7
  'debugfs=off', // CR 7.7
  'usbcore.authorized_default=0', // CR 2.13 / EDR 2.13: no USB device works before it is allowed
  'systemd.gpt_auto=0', // CR 7.7: no partition is mounted because it is there
  'systemd.show_status=yes',
  'loglevel=4',
];

/** The command line of the kernel. */
export function commandLine(board: Board, verity: Verity): string {
  const { rootHash, dataBytes, superblock } = verity;
  return [
    board.console,
    ...HARDENING,
    `${ROOT_HASH_WORD}=${rootHash}`,
    `ghostpipe.hashes=${dataBytes}`,
    `ghostpipe.superblock=${superblock}`,
  ].join(' ');
}

/** What stands in the unpacked packages and beside them. */
export interface BootParts {
  readonly stock: string;
  readonly release: string;
  readonly kernel: Buffer;
  readonly initramfs: Buffer;
  readonly commandLine: string;
}

/** The files of the boot partition, in their order. */
export function bootFiles(board: Board, parts: BootParts): BootFile[] {
  return board.boot === 'uefi' ? uefiFiles(board, parts) : piFiles(board, parts);
}

function uefiFiles({ arch }: Board, { stock, release, kernel, initramfs, commandLine }: BootParts): BootFile[] {
  const machine = arch === 'amd64' ? 'x64' : 'aa64';
  const stub = readFileSync(join(stock, 'usr/lib/systemd/boot/efi', `linux${machine}.efi.stub`));
  const image = addSections(stub, [
    ['.osrel', readFileSync(join(stock, 'usr/lib/os-release'))],
    ['.cmdline', Buffer.from(commandLine)],
    ['.uname', Buffer.from(release)],
    ['.initrd', initramfs],
    ['.linux', kernel],
  ]);
  return [{ path: `EFI/BOOT/BOOT${machine.toUpperCase()}.EFI`, content: image }];
}

const PI_CONFIG = [
  'arm_64bit=1',
  'kernel=kernel8.img',
  'initramfs initrd.img followkernel',
  'upstream_kernel=1',
  'enable_uart=1',
  'disable_splash=1',
  'avoid_warnings=1',
  'gpu_mem=16',
  'boot_delay=0',
  '',
].join('\n');

function piFiles(board: Board, { stock, release, kernel, initramfs, commandLine }: BootParts): BootFile[] {
  const firmware = join(stock, 'usr/lib/raspi-firmware');
  const trees = join(stock, 'usr/lib', `linux-image-${release}`, 'broadcom');
  const from = (folder: string, path: string): BootFile => ({ path, content: readFileSync(join(folder, path)) });
  return [
    ...board.firmware.map((path) => from(firmware, path)),
    ...board.deviceTrees.map((path) => from(trees, path)),
    { path: 'kernel8.img', content: gzipSync(kernel, { level: constants.Z_BEST_COMPRESSION }) },
    { path: 'initrd.img', content: initramfs },
    { path: 'cmdline.txt', content: Buffer.from(`${commandLine}\n`) },
    { path: 'config.txt', content: Buffer.from(PI_CONFIG) },
  ];
}
