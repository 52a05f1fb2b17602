/** The dm-verity tree behind a root filesystem: found, and computed anew from the data. */
import { createHash } from 'node:crypto';
import { Problem } from '../../../protocol/problem.ts';
import type { ImageView, Partition } from './image-view.ts';

const BLOCK = 4096;
const HASHES_A_BLOCK = BLOCK / 32;
const MAX_DATA_BLOCKS = 262_144;
const CHUNK_BLOCKS = 256;

/** The superblock of a tree. */
export interface Verity {
  readonly dataBlocks: number;
  readonly salt: Buffer;
  /** Where the tree begins on the disk. */
  readonly treeOffset: number;
}

/** Where a squashfs ends, rounded up to a block: there the superblock stands. */
export function readVerity({ read }: ImageView, { offset }: Partition): Verity {
  const used = Number(read(offset, 96).readBigUInt64LE(40));
  const start = offset + Math.ceil(used / BLOCK) * BLOCK;
  const block = read(start, 512);
  const algorithm = block.toString('latin1', 32, 64).replace(/\0+$/, '');
  const [version, type] = [block.readUInt32LE(8), block.readUInt32LE(12)];
  const sizes = [block.readUInt32LE(64), block.readUInt32LE(68)];
  const dataBlocks = Number(block.readBigUInt64LE(72));
  if (block.toString('latin1', 0, 6) !== 'verity' || version !== 1 || type !== 1) {
    throw new Problem('file-invalid', 'no verity superblock stands behind the root filesystem');
  }
  if (algorithm !== 'sha256' || sizes.some((size) => size !== BLOCK) || dataBlocks > MAX_DATA_BLOCKS) {
    throw new Problem('file-invalid', `a tree of ${algorithm} over ${dataBlocks} blocks of ${sizes[0]} is not ours`);
  }
  return { dataBlocks, salt: block.subarray(88, 88 + block.readUInt16LE(80)), treeOffset: start + BLOCK };
}

/** What the data say. */
export interface HashTree {
  /** Root hash in hex. */
  readonly root: string;
  /** The blocks of hashes as they stand on the disk, the top first. */
  readonly blocks: Buffer;
}

/** Computes the tree over `dataBlocks` blocks from `offset` on. */
export function hashTree(read: ImageView['read'], offset: number, { dataBlocks, salt }: Verity): HashTree {
  const hashOf = (block: Buffer): Buffer => createHash('sha256').update(salt).update(block).digest();
  let hashes: Buffer[] = [];
  for (let done = 0; done < dataBlocks; done += CHUNK_BLOCKS) {
    const chunk = read(offset + done * BLOCK, Math.min(CHUNK_BLOCKS, dataBlocks - done) * BLOCK);
    for (let at = 0; at < chunk.length; at += BLOCK) hashes.push(hashOf(chunk.subarray(at, at + BLOCK)));
  }
  const levels: Buffer[] = [];
  while (levels.length === 0 || hashes.length > 1) {
    const blocks = Array.from({ length: Math.ceil(hashes.length / HASHES_A_BLOCK) }, (_, i) => {
      const block = Buffer.alloc(BLOCK);
      Buffer.concat(hashes.slice(i * HASHES_A_BLOCK, (i + 1) * HASHES_A_BLOCK)).copy(block);
      return block;
    });
    levels.unshift(Buffer.concat(blocks));
    hashes = blocks.map(hashOf);
  }
  return { root: hashes[0]!.toString('hex'), blocks: Buffer.concat(levels) };
}
