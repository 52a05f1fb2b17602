/** What a file is at a moment, so that one that changed is told from one that did not. Paths are bytes. */
import { createHash } from 'node:crypto';
import { close, closeSync, constants, fstatSync, lstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { Problem } from '../../protocol/problem.ts';

const HASH_PIECE_BYTES = 1_048_576;
/** A link is not followed, and a pipe does not block. */
const OPEN_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export interface FileState {
  readonly size: number;
  readonly mtimeUs: number;
  readonly inode: number;
}

/** A path as text, for people. */
export function pathText(path: Uint8Array): string {
  return Buffer.from(path)
    .toString()
    .replace(/\p{Cc}/gu, '?');
}

export function isSame(a: FileState, b: FileState): boolean {
  return a.size === b.size && a.mtimeUs === b.mtimeUs && a.inode === b.inode;
}

/** The state of a regular file; null when there is none or it is something else. Throws when it cannot be looked at. */
export function stateOf(path: Uint8Array): FileState | null {
  const stat = lstatSync(Buffer.from(path), { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() ? stateFrom(stat) : null;
}

/** Size, hash and state of a file that does not change meanwhile. Refuses `file-not-sent`. */
export async function measure(path: Uint8Array, signal: AbortSignal): Promise<FileState & { sha256: Uint8Array }> {
  const file = openRegular(path);
  try {
    const before = stateFrom(fstatSync(file, { bigint: true }));
    const hash = createHash('sha256');
    const buffer = new Uint8Array(HASH_PIECE_BYTES);
    for (let at = 0; at < before.size; ) {
      if (signal.aborted) throw new Problem('file-not-sent', `${pathText(path)} is not read any further`);
      const { bytesRead } = await promisify(read)(file, buffer, 0, Math.min(buffer.length, before.size - at), at);
      if (bytesRead === 0) throw changed(path);
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    if (!isSame(before, stateFrom(fstatSync(file, { bigint: true })))) throw changed(path);
    return { ...before, sha256: new Uint8Array(hash.digest()) };
  } catch (thrown) {
    throw unreadable(path, thrown);
  } finally {
    close(file);
  }
}

/** Bytes of a file that still is what it was. Refuses `file-not-sent`. */
export function readPart(path: Uint8Array, expected: FileState, from: number, length: number): Uint8Array {
  const file = openRegular(path);
  try {
    if (!isSame(expected, stateFrom(fstatSync(file, { bigint: true })))) throw changed(path);
    const part = new Uint8Array(length);
    for (let at = 0; at < length; ) {
      const count = readSync(file, part, at, length - at, from + at);
      if (count === 0) throw changed(path);
      at += count;
    }
    return part;
  } catch (thrown) {
    throw unreadable(path, thrown);
  } finally {
    closeSync(file);
  }
}

function openRegular(path: Uint8Array): number {
  let file: number;
  try {
    file = openSync(Buffer.from(path), OPEN_FLAGS);
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new Problem('file-not-sent', `${pathText(path)} is not a regular file`);
}

function stateFrom({ size, mtimeNs, ino }: { size: bigint; mtimeNs: bigint; ino: bigint }): FileState {
  const inode = Number(BigInt.asUintN(53, ino));
  return { size: Number(size), mtimeUs: Math.max(0, Number(mtimeNs / 1000n)), inode };
}

function changed(path: Uint8Array): Problem {
  return new FileChanged('file-not-sent', `${pathText(path)} changed while it was sent: it counts as a new file`);
}

function unreadable(path: Uint8Array, thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const { code } = thrown as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new FileChanged('file-not-sent', `${pathText(path)} went away before it was sent`);
  return new Problem('file-not-sent', `${pathText(path)} cannot be read (${code})`);
}

/** The file is not there any more as it was: nothing is wrong with what stands there now. */
export class FileChanged extends Problem {}
