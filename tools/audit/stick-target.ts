/**
 * A stick, or an image of one, as the target of an export: mounted for as long as the export takes, and only when it is
 * what it should be. A disk of the host is never mounted by mistake.
 */
import { spawnSync } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { Problem } from '../../protocol/problem.ts';

/** Folder of the export on the stick. */
const FOLDER = 'ghostpipe-audit';
const FILE_SYSTEMS: readonly string[] = ['ext4', 'vfat', 'exfat'];
const ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };
/** What a target says that has no room, or must not or cannot be written. */
const UNUSABLE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM', 'EIO']);

/** Whether a path is a block device or a file, rather than a folder to be. */
function isStick(path: string): boolean {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat !== undefined && (stat.isBlockDevice() || stat.isFile());
}

/**
 * Calls `action` with the folder of the export: `path` itself, or one on the stick that `path` is. Refuses
 * `target-unusable` for a stick that cannot be mounted, and for what is full or read-only.
 */
export async function onTarget<T>(path: string, action: (folder: string) => Promise<T>): Promise<T> {
  try {
    if (isStick(path)) return await mounted(path, action);
    const parent = dirname(resolve(path));
    if (existsSync(parent)) accessSync(parent, constants.W_OK);
    return await action(path);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    if (thrown instanceof Problem || code === undefined || !UNUSABLE.has(code)) throw thrown;
    const why = code === 'EROFS' ? 'it is read-only' : 'what was written so far stays, the next run goes on with it';
    throw new Problem('target-unusable', `${path} cannot be written (${code}): ${why}`);
  }
}

async function mounted<T>(path: string, action: (folder: string) => Promise<T>): Promise<T> {
  const device = realpathSync(path);
  const isImage = statSync(device).isFile();
  if (!isImage) requireRemovable(device);
  if (process.getuid?.() !== 0) throw unusable(`${path} has to be mounted, which takes root`);
  requireUnmounted(device);
  const type = fileSystemOf(device);
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-stick-'));
  const options = `nosuid,nodev,noexec${isImage ? ',loop' : ''}`;
  const failed = run('mount', '-w', '-t', type, '-o', options, device, folder).error;
  if (failed) {
    rmdirSync(folder);
    throw unusable(`${path} cannot be mounted to be written: ${failed}`);
  }
  const onSignal = (): never => {
    run('umount', '-l', folder);
    rmdirSync(folder);
    process.exit(1);
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  try {
    return await action(join(folder, FOLDER));
  } finally {
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal);
    unmount(path, folder);
  }
}

/** Only now all of it is on the stick: an unmount that fails is a failed export. */
function unmount(path: string, folder: string): void {
  const { error } = run('umount', folder);
  if (error) throw unusable(`${path} cannot be unmounted: ${error}`);
  rmdirSync(folder);
}

/** A stick says that it is removable; a disk in a case does not, but hangs on USB. */
function requireRemovable(device: string): void {
  const place = realpathSync(join('/sys/class/block', basename(device)));
  const isRemovable = [place, dirname(place)].some((each) => textOf(join(each, 'removable')) === '1');
  if (!isRemovable && !/\/usb\d/.test(place)) {
    throw unusable(`${device} is not a removable device: neither does it say so, nor is it on USB`);
  }
}

function requireUnmounted(device: string): void {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  const [, at] = mounts.map((line) => line.split(' ')).find(([source]) => source === device) ?? [];
  if (at) throw unusable(`${device} is mounted at ${at} already: give --to with a folder there`);
}

function fileSystemOf(device: string): string {
  const { output } = run('blkid', '-p', '-o', 'value', '-s', 'TYPE', device);
  if (FILE_SYSTEMS.includes(output)) return output;
  const found = output === '' ? 'no file system, a partition of it may have one' : `the file system ${output}`;
  throw unusable(`${device} has ${found}; it must be one of ${FILE_SYSTEMS.join(', ')}`);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return ''; // a partition has no such file
  }
}

function run(command: string, ...words: string[]): { readonly output: string; readonly error: string | null } {
  const { status, stdout, stderr, error } = spawnSync(command, words, { encoding: 'utf8', env: ENV });
  if (error) throw unusable(`${command} cannot be run: ${error.message}`);
  return { output: stdout.trim(), error: status === 0 ? null : stderr.trim().split('\n')[0]! };
}

function unusable(detail: string): Problem {
  return new Problem('target-unusable', detail);
}
