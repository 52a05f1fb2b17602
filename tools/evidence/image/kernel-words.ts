/** The kernel command line of an image: `cmdline.txt` beside the kernel of a board, or the section of a unified kernel image. */
import { spawnSync } from 'node:child_process';
import { Problem } from '../../../protocol/problem.ts';
import type { Partition } from './image-view.ts';

const KERNELS = ['::/EFI/BOOT/BOOTX64.EFI', '::/EFI/BOOT/BOOTAA64.EFI'];
const LIMIT = 268_435_456;
const PATIENCE_MS = 30_000;
const MAX_SECTIONS = 96;

/** The words of the command line on the boot partition; refuses `tool-missing` without mcopy, `file-invalid` without one. */
export function readCmdline(file: string, { offset }: Partition): string[] {
  const place = `${file}@@${offset}`;
  const line = copied(place, '::/cmdline.txt') ?? unified(place);
  if (!line) throw new Problem('file-invalid', 'the boot partition has neither cmdline.txt nor a unified kernel image');
  return line.toString('utf8').replaceAll('\0', '').trim().split(/\s+/);
}

function unified(place: string): Buffer | undefined {
  const kernel = KERNELS.map((path) => copied(place, path)).find((bytes) => bytes !== undefined);
  return kernel && sectionOf(kernel, '.cmdline');
}

/** A section of a PE file, by its name. */
function sectionOf(bytes: Buffer, name: string): Buffer | undefined {
  const header = bytes.readUInt32LE(0x3c);
  const count = bytes.readUInt16LE(header + 6);
  const table = header + 24 + bytes.readUInt16LE(header + 20);
  for (let i = 0; i < Math.min(count, MAX_SECTIONS); i++) {
    const at = table + 40 * i;
    if (bytes.toString('latin1', at, at + 8).replace(/\0+$/, '') !== name) continue;
    const [size, start] = [bytes.readUInt32LE(at + 8), bytes.readUInt32LE(at + 20)];
    return bytes.subarray(start, start + size);
  }
  return undefined;
}

/** A file of a FAT volume; undefined when it is not there. */
function copied(place: string, path: string): Buffer | undefined {
  const { error, status, stdout } = spawnSync('mcopy', ['-n', '-i', place, path, '-'], {
    maxBuffer: LIMIT,
    timeout: PATIENCE_MS,
    env: { ...process.env, MTOOLS_SKIP_CHECK: '1' },
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    throw new Problem('tool-missing', 'mcopy is not installed (Debian package mtools)');
  }
  return status === 0 ? stdout : undefined;
}
