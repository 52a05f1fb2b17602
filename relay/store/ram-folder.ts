/** A folder that blocks may be put into: in memory, private, and of one relay at a time. */
import { lstatSync, mkdirSync, readFileSync, statfsSync } from 'node:fs';
import net from 'node:net';
import { Problem } from '../../protocol/problem.ts';
import { fromHex } from '../../protocol/text.ts';
import { BOOT_ID_BYTES } from './slot-record.ts';

/** statfs(2) types of file systems in memory: tmpfs, ramfs. */
const RAM_TYPES = [0x01021994, 0x858458f6];

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
 * Keeps other relays of this machine away from the folder until the returned function is called, or the process ends
 * in whatever way. Refuses `store-in-use`.
 */
export async function lockFolder(path: string): Promise<() => void> {
  const { dev, ino } = lstatSync(path);
  // A socket without a file (unix(7), abstract): the kernel lets go of its name when the process dies.
  const holder = net.createServer().unref();
  await new Promise<void>((resolve, reject) => {
    holder.once('error', () => reject(new Problem('store-in-use', `another relay uses ${path}`)));
    holder.listen(`\0ghostpipe-store-${dev}-${ino}`, resolve);
  });
  return () => void holder.close();
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
