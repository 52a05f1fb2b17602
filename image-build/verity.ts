/**
 * The root as bytes of a disk: squashfs, and behind it a tree of hashes (dm-verity). Salt and UUID come from the content,
 * so that the same files give the same bytes and the same root hash.
 */
import { createHash } from 'node:crypto';
import { closeSync, ftruncateSync, openSync, readSync, statSync, truncateSync } from 'node:fs';
import { Problem } from '../protocol/problem.ts';
import { hashOf } from './packages.ts';
import type { Tools } from './tools.ts';

const BLOCK = 4096;
const MIB = 1 << 20;

export interface Verity {
  /** All in hex, the UUID with its lines. */
  readonly rootHash: string;
  readonly salt: string;
  readonly uuid: string;
  /** Bytes of the squashfs with its padding: the hashes begin here. */
  readonly dataBytes: number;
  /** The first 32 bytes of what stands there, in hex: the initramfs finds the partition by them. */
  readonly superblock: string;
}

/** Packs the folder `root` into `image` at a zstd level (1 to 22), appends the hashes and pads to whole MiB. */
export function packRoot(tools: Tools, root: string, image: string, level: number): Verity {
  const packing = ['-comp', 'zstd', '-Xcompression-level', String(level), '-b', '256K', '-all-root', '-no-xattrs'];
  tools.run('usr/bin/mksquashfs', [root, image, ...packing, '-noappend', '-no-progress', '-quiet']);
  const dataBytes = roundUp(statSync(image).size, BLOCK);
  truncateSync(image, dataBytes);
  const content = hashOf(image);
  const salt = derive('salt', content);
  const uuid = asUuid(derive('uuid', content));
  const offset = `--hash-offset=${dataBytes}`;
  const shape = ['--hash=sha256', `--data-block-size=${BLOCK}`, `--hash-block-size=${BLOCK}`];
  const said = tools.run('usr/sbin/veritysetup', [
    'format',
    ...shape,
    `--salt=${salt}`,
    `--uuid=${uuid}`,
    offset,
    image,
    image,
  ]);
  const rootHash = /^Root hash:\s+([0-9a-f]{64})$/m.exec(said)?.[1];
  if (!rootHash) throw new Problem('image-build-failed', `veritysetup named no root hash: ${said.trim()}`);
  const file = openSync(image, 'r+');
  try {
    const superblock = Buffer.alloc(32);
    readSync(file, superblock, 0, superblock.length, dataBytes);
    ftruncateSync(file, roundUp(statSync(image).size, MIB));
    return { rootHash, salt, uuid, dataBytes, superblock: superblock.toString('hex') };
  } finally {
    closeSync(file);
  }
}

/** A UUID (version 4 by its form) of the first 32 of `hex`. */
export function asUuid(hex: string): string {
  const [, a, b, c, d, e] = /^(.{8})(.{4}).(.{3}).(.{3})(.{12})/.exec(hex)!;
  return `${a}-${b}-4${c}-8${d}-${e}`;
}

/** SHA-256 of a word and a hash, in hex: a number for one purpose that is the same for the same content. */
export function derive(purpose: string, content: string): string {
  return createHash('sha256').update(`${purpose} ${content}`).digest('hex');
}

function roundUp(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
