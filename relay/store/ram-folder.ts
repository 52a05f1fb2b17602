/** A folder that blocks may be put into: in memory, private, and of one relay at a time. */
import { closeSync, lstatSync, mkdirSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '../../protocol/problem.ts';
import { fromHex } from '../../protocol/text.ts';
import { BOOT_ID_BYTES } from './slot-record.ts';

/** statfs(2) types of file systems in memory: tmpfs, ramfs. */
const RAM_TYPES = [0x01021994, 0x858458f6];
const SQLITE_BUSY = 5;

/**
 * Makes sure that `path` is a private folder in memory and swap is off; makes the folder when only it is missing.
 * Refuses `store-not-ram`, `swap-on`, `permissions-open` and `store-failed`. `swapsFile` is for tests.
 */
export function requireRamFolder(path: string, swapsFile = '/proc/swaps'): void {
  const folder = folderAt(path);
  const { type } = statfsSync(path);
  if (!RAM_TYPES.includes(type)) {
    throw new Problem(
      'store-not-ram',
      `${path} is on a file system of type 0x${type.toString(16)}, not tmpfs or ramfs`,
    );
  }
  const user = process.geteuid?.();
  if (folder.uid !== user || (folder.mode & 0o077) !== 0) {
    const mode = (folder.mode & 0o777).toString(8);
    throw new Problem('permissions-open', `${path} is of user ${folder.uid} with mode ${mode}, expected ${user}, 700`);
  }
  const [, ...swaps] = readFileSync(swapsFile, 'utf8').trimEnd().split('\n');
  if (swaps.length > 0) throw new Problem('swap-on', `this host swaps to ${swaps[0]!.split(/\s/)[0]}`);
}

/**
 * Keeps other relays away from the folder, by its file `lock`, until the returned function is called, or the process
 * ends in whatever way. Refuses `store-in-use` and `store-failed`.
 */
export function lockFolder(path: string): () => void {
  const file = join(path, 'lock');
  let holder: DatabaseSync | undefined;
  try {
    makeFile(file);
    holder = new DatabaseSync(file); // an empty one, for its lock: Node has no other lock of files (fcntl(2))
    holder.exec('PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE');
  } catch (thrown) {
    holder?.close();
    const { errcode, code, message } = thrown as NodeJS.ErrnoException & { errcode?: number };
    if (errcode === SQLITE_BUSY) throw new Problem('store-in-use', `another relay uses ${path}`);
    const fact = errcode === undefined ? `${file} cannot be made (${code})` : `${file} cannot be locked (${message})`;
    throw new Problem('store-failed', fact);
  }
  return () => void (holder.isOpen && holder.close());
}

/** The 16 bytes that name this boot of the machine. */
export function readBootId(): Uint8Array {
  return fromHex(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().replaceAll('-', ''), BOOT_ID_BYTES);
}

function folderAt(path: string) {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw new Problem('store-failed', `${path} cannot be made (${code})`);
  }
  const folder = lstatSync(path);
  if (!folder.isDirectory()) throw new Problem('store-failed', `${path} is no folder`);
  return folder;
}

/** Of mode 600: who could open it could lock it. */
function makeFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  }
}
