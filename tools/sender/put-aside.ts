/** Moves a file into a folder beside it, under its own name or one that is free. Never replaces a file. */
import { closeSync, constants, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { MAX_NAME_BYTES } from '../../protocol/payload.ts';
import { syncPath } from '../lib/files.ts';

const SLASH = Buffer.from('/');
const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/** The last part of a path. */
export function nameIn(path: Uint8Array): Buffer {
  const bytes = Buffer.from(path);
  return bytes.subarray(bytes.lastIndexOf(SLASH) + 1);
}

/**
 * Moves `path` into `folder` beside it, or deletes it with null. `tag` is put behind the name when that is taken.
 * Durable when it returns; throws what the file system says, and for a `folder` that is a link: whoever may write
 * beside `path` must not choose where files go.
 */
export function putAside(path: Uint8Array, folder: string | null, tag: string): void {
  const from = Buffer.from(path);
  const name = nameIn(from);
  const parent = from.subarray(0, from.length - name.length);
  if (folder === null) {
    rmSync(from, { force: true });
  } else {
    moveInto(Buffer.concat([parent, Buffer.from(folder)]), from, name, tag);
  }
  syncPath(parent);
}

function moveInto(folder: Buffer, from: Buffer, name: Buffer, tag: string): void {
  mkdirSync(folder, { recursive: true });
  const open = openSync(folder, OPEN_FOLDER);
  try {
    const target = Buffer.from(`/proc/self/fd/${open}/`); // the folder that was opened, whatever its path says by now
    renameSync(from, Buffer.concat([target, freeName(target, name, tag)]));
  } finally {
    closeSync(open);
  }
}

function freeName(folder: Buffer, name: Buffer, tag: string): Buffer {
  if (!existsSync(Buffer.concat([folder, name]))) return name;
  const suffix = Buffer.from(`.${tag}`);
  return Buffer.concat([name.subarray(0, MAX_NAME_BYTES - suffix.length), suffix]);
}

/**
 * The name that receivers get for a name of the file system: UTF-8 without control characters. It is made safe once
 * more where it arrives.
 */
export function wireName(name: Uint8Array): string {
  const text = Buffer.from(name)
    .toString()
    .replace(/[\p{Cc}\u{fffd}]/gu, '_');
  return text === '' ? '_' : text;
}
