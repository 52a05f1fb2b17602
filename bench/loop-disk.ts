/** An ext4 file system in a file, mounted as a stick would be. Needs root and a loop device. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CannotMeasure } from './figures.ts';

export interface LoopDisk {
  readonly folder: string;
  /** Unmounts it, and deletes the file. */
  end(): void;
}

/** Mounts a new one of so many MiB; refuses `CannotMeasure` where that is not possible. */
export function mountLoopDisk(mib: number): LoopDisk {
  if (process.getuid?.() !== 0) throw new CannotMeasure('mounting a file takes root');
  const base = mkdtempSync(join(tmpdir(), 'ghostpipe-bench-stick-'));
  const [file, folder] = [join(base, 'image'), join(base, 'mounted')];
  try {
    writeFileSync(file, '');
    truncateSync(file, mib * 2 ** 20);
    mkdirSync(folder);
    run('mkfs.ext4', '-q', file);
    run('mount', '-o', 'loop', file, folder);
  } catch (thrown) {
    rmSync(base, { recursive: true });
    throw thrown;
  }
  return {
    folder,
    end() {
      run('umount', '-l', folder);
      rmSync(base, { recursive: true });
    },
  };
}

function run(command: string, ...words: string[]): void {
  const { status, error, stderr } = spawnSync(command, words, { encoding: 'utf8' });
  if (status !== 0) throw new CannotMeasure(`${command}: ${error?.message ?? stderr.trim()}`);
}
