/** Writes the files of a card into an image: into a copy beside it, read back, and only then in its place. */
import { randomUUID } from 'node:crypto';
import { chmodSync, closeSync, constants, copyFileSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { equalBytes } from '../../../protocol/bytes.ts';
import { Problem } from '../../../protocol/problem.ts';
import { syncPath } from '../../lib/files.ts';
import { Fat } from './fat.ts';
import { cardPartition, type Partition } from './partition.ts';

const CHUNK = 2 ** 20;

/**
 * Makes `to` of the image `from` with these files on its card, and nothing else there; both may be one path. `to` is there
 * whole or as it was, with mode 600. Refuses `not-an-image`, `tool-missing`, and `state-failed` for what went wrong.
 */
export function writeCard(from: string, to: string, files: ReadonlyMap<string, Uint8Array>): void {
  const partition = cardPartition(from);
  const copy = join(dirname(to), `.${basename(to)}.${randomUUID()}.tmp`);
  try {
    copyFileSync(from, copy, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    chmodSync(copy, 0o600); // from here on it holds the relay's identity
    fill(copy, partition, files);
    syncPath(copy);
    renameSync(copy, to);
    syncPath(dirname(to));
  } catch (thrown) {
    rmSync(copy, { force: true });
    if (thrown instanceof Problem) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw new Problem('state-failed', `${to} cannot be written (${code ?? message}); ${from} is as it was`);
  }
}

function fill(path: string, partition: Partition, files: ReadonlyMap<string, Uint8Array>): void {
  wipe(path, partition); // an earlier identity would stay in what the new file system calls free
  const fat = new Fat(path, partition);
  fat.format();
  for (const [name, bytes] of files) fat.write(name, bytes);
  for (const [name, bytes] of files) {
    if (equalBytes(fat.read(name), bytes)) continue;
    throw new Problem('state-failed', `${name} does not read back as it was written; the disk may be failing`);
  }
}

function wipe(path: string, { offset, bytes }: Partition): void {
  const file = openSync(path, 'r+');
  try {
    for (let at = 0; at < bytes; at += CHUNK) {
      writeSync(file, new Uint8Array(Math.min(CHUNK, bytes - at)), 0, undefined, offset + at);
    }
  } finally {
    closeSync(file);
  }
}
