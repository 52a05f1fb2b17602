/**
 * The tree of hashes behind the root (dm-verity, hash type 1, SHA-256, blocks of 4096 bytes), made anew from the data.
 * A second implementation beside veritysetup, which made the tree: needs neither root nor the device mapper.
 */
import { createHash } from 'node:crypto';
import type { ImageFile } from './image-file.ts';

const BLOCK = 4096;
const DIGEST = 32;

export interface VerityPlace {
  /** Where the data begins in the image. */
  readonly offset: number;
  /** Bytes of data, whole blocks; the superblock of the tree follows, then the tree from its top. */
  readonly dataBytes: number;
  /** In hex. */
  readonly salt: string;
}

export interface VerityFinding {
  /** In hex: what the data gives. */
  readonly rootHash: string;
  /** Whether the tree in the image is the one that the data gives. */
  readonly treeHolds: boolean;
}

/** Computes root hash and tree of the data, and compares the tree with that in the image. */
export function checkVerity(image: ImageFile, { offset, dataBytes, salt }: VerityPlace): VerityFinding {
  const saltBytes = Buffer.from(salt, 'hex');
  let level = levelOf(saltBytes, image.pieces(offset, dataBytes));
  const levels = [level];
  while (level.length > BLOCK) {
    level = levelOf(saltBytes, [level]);
    levels.unshift(level);
  }
  const rootHash = digestOf(saltBytes, levels[0]!).toString('hex');
  const tree = Buffer.concat(levels);
  const stored = image.read(offset + dataBytes + BLOCK, tree.length);
  return { rootHash, treeHolds: stored.equals(tree) };
}

/** The digests of all blocks, filled up with zeros to whole blocks. */
function levelOf(salt: Buffer, pieces: Iterable<Buffer>): Buffer {
  const digests: Buffer[] = [];
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += BLOCK) digests.push(digestOf(salt, piece.subarray(at, at + BLOCK)));
  }
  const level = Buffer.alloc(Math.ceil((digests.length * DIGEST) / BLOCK) * BLOCK);
  for (const [i, digest] of digests.entries()) digest.copy(level, i * DIGEST);
  return level;
}

function digestOf(salt: Buffer, block: Buffer): Buffer {
  return createHash('sha256').update(salt).update(block).digest();
}
