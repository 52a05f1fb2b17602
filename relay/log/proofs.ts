/** Proofs of the audit log, made from its tiles, each with the checkpoint that it leads to. */
import type { AddCheckpoint } from '../../protocol/add-checkpoint.ts';
import { consistencyProof, type Hasher, inclusionProof } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import type { TlogProof } from '../../protocol/tlog-proof.ts';
import type { EpochView } from './log-view.ts';
import { hashesOf, headOfSize, newestHead } from './read.ts';

/**
 * The proof that leaf `index` is in the newest head's tree; refuses `not-available`. Only that of leaf 0 holds its
 * record, the epoch statement: the others are for auditors.
 */
export function proofOfLeaf(hasher: Hasher, epoch: EpochView, index: number): TlogProof {
  const { size, checkpoint } = newestHead(epoch);
  if (index >= size) throw new Problem('not-available', `leaf ${index} is not below ${size}`);
  const hashes = inclusionProof(hasher, hashesOf(hasher, epoch), index, size);
  return { ...(index === 0 && { extra: epoch.statement }), index, hashes, checkpoint };
}

/** The hash of a leaf of the newest head's tree, which `proofOfLeaf` proves. */
export function leafOf(hasher: Hasher, epoch: EpochView, index: number): Uint8Array {
  return hashesOf(hasher, epoch)(0, index);
}

/** The proof that the head of size `to`, the newest when left out, continues the tree of `from` leaves. */
export function proofOfGrowth(hasher: Hasher, epoch: EpochView, from: number, to: number | undefined): AddCheckpoint {
  const { size, checkpoint } = headOfSize(epoch, to);
  if (from > size) throw new Problem('not-available', `a tree of ${size} does not continue one of ${from}`);
  return { oldSize: from, hashes: consistencyProof(hasher, hashesOf(hasher, epoch), from, size), checkpoint };
}
