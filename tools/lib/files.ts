/** Files that must not be half written, too large, or open to others. */
import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';

/** How the hidden names end that `writeFileAtomic` uses. */
const TEMPORARY_SUFFIX = '.tmp';

/** Reads a regular file of at most `limit` bytes; null when there is none. Refuses `file-invalid`. */
export function readFileBounded(path: string, limit: number): Uint8Array | null {
  return readOpened(path, limit, () => {});
}

/** `readFileBounded` for a file that strangers put there: follows no link at its name and waits for no pipe. */
export function readPlainFile(path: string, limit: number): Uint8Array | null {
  return readOpened(path, limit, () => {}, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
}

/** `readFileBounded` for a secret: refuses `permissions-open` when group or others may read it. */
export function readSecretFile(path: string, limit: number): Uint8Array | null {
  return readOpened(path, limit, (mode) => {
    if ((mode & 0o077) !== 0) {
      throw new Problem('permissions-open', `${path} has mode ${(mode & 0o777).toString(8)}, it must be 600`);
    }
  });
}

/**
 * Replaces `path` by `bytes` so that after a power cut either the old or the new content stands there whole: written
 * beside it, synced, renamed, folder synced. Makes missing folders (mode 700).
 */
export function writeFileAtomic(path: string, bytes: Uint8Array | string, mode = 0o600): void {
  const folder = dirname(path);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(folder, `.${basename(path)}.${randomUUID()}${TEMPORARY_SUFFIX}`);
  try {
    writeSynced(temporary, typeof bytes === 'string' ? Buffer.from(bytes) : bytes, mode);
    renameSync(temporary, path);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
  syncPath(folder);
}

/** `writeFileAtomic` for what a client remembers; refuses `state-failed`. */
export function writeStateFile(path: string, bytes: Uint8Array | string): void {
  try {
    writeFileAtomic(path, bytes);
  } catch (thrown) {
    const { code, message } = thrown as NodeJS.ErrnoException;
    throw new Problem('state-failed', `${path} cannot be written (${code ?? message})`);
  }
}

/** Removes what `writeFileAtomic` left half written in `folder` when its process was killed. */
export function removeTemporaries(folder: string): void {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.') && name.endsWith(TEMPORARY_SUFFIX)) rmSync(join(folder, name), { force: true });
  }
}

/** Makes a file's content, or the names in a folder, survive a power cut. */
export function syncPath(path: string | Buffer): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function writeSynced(path: string, bytes: Uint8Array, mode: number): void {
  const file = openSync(path, 'wx', mode);
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function readOpened(
  path: string,
  limit: number,
  inspect: (mode: number) => void,
  flags: number = constants.O_RDONLY,
): Uint8Array | null {
  const file = openOrNull(path, flags);
  if (file === null) return null;
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new Problem('file-invalid', `${path} is not a regular file`);
    inspect(stat.mode);
    if (stat.size > limit) throw new Problem('file-invalid', `${path} has ${stat.size} bytes, the limit is ${limit}`);
    const bytes = new Uint8Array(stat.size);
    for (let at = 0; at < bytes.length; ) {
      const count = readSync(file, bytes, at, bytes.length - at, at);
      if (count === 0) throw new Problem('file-invalid', `${path} became shorter while it was read`);
      at += count;
    }
    return bytes;
  } finally {
    closeSync(file);
  }
}

function openOrNull(path: string, flags: number): number | null {
  try {
    return openSync(path, flags);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return null;
    throw new Problem('file-invalid', `${path} cannot be opened (${code})`);
  }
}
