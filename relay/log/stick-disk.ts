/**
 * The file system of the stick, one step after the other, each of which can fail: an argument of everything that writes
 * there. Asynchronous, since a stick may take its time and nothing else of the relay waits for it.
 *
 * Paths are below the stick's folder, with "/" between. Every method rejects with what the system says.
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';

/** A file that was opened to be written. */
export interface StickFile {
  /** Writes all of `bytes` at `position`. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** What was written survives a power cut. After a failure nothing is known of the file any more. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface StickDisk {
  /** The names in a folder. */
  list(folder: string): Promise<string[]>;
  /** The bytes of a regular file; refuses `file-invalid` for another kind of thing, or more than `limit` bytes. */
  read(path: string, limit: number): Promise<Uint8Array>;
  /** Bytes that there is room for. */
  freeBytes(): Promise<number>;
  /** Makes one folder. */
  makeFolder(folder: string): Promise<void>;
  /** Makes a file that is not there yet. */
  create(path: string): Promise<StickFile>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Removes an empty folder. */
  removeFolder(folder: string): Promise<void>;
  /** The names in a folder survive a power cut. */
  syncFolder(folder: string): Promise<void>;
}

/** The disk below an existing folder, which is never made: where no stick is mounted there is none. */
export function folderDisk(root: string): StickDisk {
  const at = (path: string): string => join(root, path);
  return {
    list: (folder) => readdir(at(folder)),
    read: (path, limit) =>
      using(at(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK, (file) =>
        readAll(file, path, limit),
      ),
    async freeBytes() {
      const { bavail, bsize } = await statfs(root);
      return bavail * bsize;
    },
    makeFolder: (folder) => mkdir(at(folder), { mode: 0o700 }),
    async create(path) {
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const file = await open(at(path), flags, 0o600);
      return {
        write: (bytes, position) => writeAll(file, bytes, position),
        sync: () => file.datasync(),
        close: () => file.close(),
      };
    },
    rename: (from, to) => rename(at(from), at(to)),
    remove: (path) => rm(at(path)),
    removeFolder: (folder) => rmdir(at(folder)),
    syncFolder: (folder) => using(at(folder), constants.O_RDONLY | constants.O_DIRECTORY, (file) => file.sync()),
  };
}

/** Whether a disk says that something is not there. */
export function isMissing(thrown: unknown): boolean {
  return (thrown as NodeJS.ErrnoException).code === 'ENOENT';
}

async function using<T>(path: string, flags: number, use: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function readAll(file: FileHandle, path: string, limit: number): Promise<Uint8Array> {
  const stat = await file.stat();
  if (!stat.isFile() || stat.size > limit) {
    throw new Problem('file-invalid', `${path} on the stick is no file of at most ${limit} bytes, it has ${stat.size}`);
  }
  const bytes = new Uint8Array(stat.size);
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, at);
    if (bytesRead === 0) throw new Problem('file-invalid', `${path} on the stick became shorter while it was read`);
    at += bytesRead;
  }
  return bytes;
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}
