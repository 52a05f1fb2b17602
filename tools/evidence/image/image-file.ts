/** An image file, read without root rights and without mounting anything. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { parseJson } from '../../../protocol/canonical.ts';
import { Problem } from '../../../protocol/problem.ts';
import type { ImageView } from './image-view.ts';
import { readCmdline } from './kernel-words.ts';
import { readPartitions } from './partitions.ts';
import { readSquashfs } from './squashfs.ts';

const MAX_BYTES = 4_294_967_296;
/** What the root says of itself. */
const IMAGE_FILE = 'usr/lib/ghostpipe/image.json';
const CHUNK = 4_194_304;
/** Label of the partition of the site, which is no part of the release. */
export const SITE_LABEL = 'GHOSTPIPE';

/**
 * Reads an image. Refuses `file-invalid` for what is none, or only half of one, and `tool-missing` without unsquashfs or
 * mcopy.
 */
export function readImage(file: string): ImageView {
  const stats = statSync(file, { throwIfNoEntry: false });
  if (!stats?.isFile()) throw new Problem('file-invalid', `${file} is no file`);
  if (stats.size > MAX_BYTES)
    throw new Problem('file-invalid', `${file} has ${stats.size} bytes, at most ${MAX_BYTES}`);
  const read = (offset: number, length: number): Buffer => readPart(file, offset, length);
  const partitions = readPartitions(read);
  const end = Math.max(0, ...partitions.map(({ offset, bytes }) => offset + bytes));
  if (end > stats.size) {
    throw new Problem('file-invalid', `${file} has ${stats.size} bytes, its partitions end at ${end}: it is cut off`);
  }
  const boot = partitions.find(({ holds, label }) => holds === 'fat' && label !== SITE_LABEL);
  const root = partitions.find(({ holds }) => holds === 'squashfs');
  if (!boot || !root) throw new Problem('file-invalid', `${file} has no boot partition, or no squashfs`);
  return {
    sha256: digestOf(read, stats.size),
    bytes: stats.size,
    partitions,
    cmdline: readCmdline(file, boot),
    read,
    root: readSquashfs(file, root.offset),
  };
}

/** The board that an image says it is for; refuses `file-invalid` when it says none. */
export function boardOf({ root }: ImageView): string {
  const said = root.get(IMAGE_FILE)?.text;
  if (said === undefined) throw new Problem('file-invalid', `the image has no ${IMAGE_FILE}`);
  const { board } = parseJson(Buffer.from(said), 4096) as { readonly board?: unknown };
  return String(board);
}

function readPart(file: string, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const fd = openSync(file, 'r');
  try {
    const count = readSync(fd, bytes, 0, length, offset);
    if (count < length) throw new Problem('file-invalid', `${file} ends before byte ${offset + length}`);
    return bytes;
  } finally {
    closeSync(fd);
  }
}

function digestOf(read: ImageView['read'], size: number): string {
  const hash = createHash('sha256');
  for (let at = 0; at < size; at += CHUNK) hash.update(read(at, Math.min(CHUNK, size - at)));
  return hash.digest('hex');
}
