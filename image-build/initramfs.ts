/** The initramfs: busybox, veritysetup and the drivers of disks, with one program (initramfs/init) that opens the root. */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cpioOf } from './cpio.ts';
import { copyLibraries } from './libraries.ts';
import type { Architecture } from './lock.ts';
import type { Modules } from './modules.ts';
import type { Tools } from './tools.ts';

const INIT = join(import.meta.dirname, 'initramfs', 'init');
const FOLDERS = ['usr/bin', 'usr/sbin', 'usr/lib', 'etc', 'dev', 'proc', 'sys', 'run', 'sysroot'];
/** The names of busybox that init uses. */
const NAMES = [
  ...['sh', 'mount', 'umount', 'mkdir', 'cat', 'echo', 'sleep', 'dd', 'head', 'od', 'tr'],
  ...['blockdev', 'modprobe', 'switch_root'],
];

export interface InitramfsPlan {
  readonly arch: Architecture;
  readonly drivers: readonly string[];
  readonly epoch: number;
  /** zstd level, 1 to 22. */
  readonly level: number;
}

/** Makes the initramfs in the folder `tree`, from the packages unpacked in `stock`, and writes it packed to `file`. */
export function makeInitramfs(
  tools: Tools,
  stock: string,
  tree: string,
  modules: Modules,
  plan: InitramfsPlan,
  file: string,
): void {
  for (const folder of FOLDERS) mkdirSync(join(tree, folder), { recursive: true });
  for (const name of ['bin', 'sbin', 'lib']) symlinkSync(`usr/${name}`, join(tree, name));
  if (plan.arch === 'amd64') symlinkSync('usr/lib64', join(tree, 'lib64'));
  copyFileSync(join(stock, 'usr/bin/busybox'), join(tree, 'usr/bin/busybox'));
  for (const name of NAMES) symlinkSync('busybox', join(tree, 'usr/bin', name));
  copyFileSync(join(stock, 'usr/sbin/veritysetup'), join(tree, 'usr/sbin/veritysetup'));
  copyLibraries(plan.arch, stock, tree, ['usr/sbin/veritysetup']);
  modules.install(plan.drivers, tree);
  writeFileSync(join(tree, 'etc/drivers'), `${plan.drivers.join('\n')}\n`);
  copyFileSync(INIT, join(tree, 'init'));
  settle(tree);
  const archive = `${file}.cpio`;
  writeFileSync(archive, cpioOf(tree, plan.epoch));
  tools.run('usr/bin/zstd', ['-q', '-f', `-${plan.level}`, '-T1', archive, '-o', file]);
  rmSync(archive);
}

/** The modes that the builder's umask would else decide. */
function settle(tree: string): void {
  const programs = ['init', 'usr/bin/busybox', 'usr/sbin/veritysetup'];
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) chmodSync(path, 0o755);
    if (entry.isFile())
      chmodSync(
        path,
        programs.some((name) => path === join(tree, name)) || entry.name.startsWith('ld-') ? 0o755 : 0o644,
      );
  }
}
