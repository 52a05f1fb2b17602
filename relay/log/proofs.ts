/** Proofs of the audit log, made from its tiles, each with the checkpoint that it leads to. */
import type { AddCheckpoint } from '../../protocol/add-checkpoint.ts';
import { consistencyProof, type Hasher, inclusionProof } from '../../protocol/merkle.ts';
import { formatNote, parseNote } from '../../protocol/note.ts';
import { Problem } from '../../protocol/problem.ts';
import type { TailProof } from '../../protocol/tail-proof.ts';
import { formatTlogProof, type TlogProof } from '../../protocol/tlog-proof.ts';
import type { EpochView, LogView } from './log-view.ts';
import { hashesOf, headOfSize, newestHead, shownSize } from './read.ts';

/**
 * The proof that leaf `index` is in the newest head's tree; refuses `not-available`. Only that of leaf 0 holds its
 * record, the epoch statement: the others are for auditors. Its checkpoint has the relay's own lines only, so that it fits
 * a control frame however many cosigners there are.
 */
export function proofOfLeaf(hasher: Hasher, epoch: EpochView, index: number): TlogProof {
  const { size, checkpoint } = newestHead(epoch);
  if (index >= size) throw new Problem('not-available', `leaf ${index} is not below ${size}`);
  const hashes = inclusionProof(hasher, hashesOf(hasher, epoch, size), index, size);
  return { ...(index === 0 && { extra: epoch.statement }), index, hashes, checkpoint: ownLines(checkpoint, epoch) };
}

function ownLines(checkpoint: Uint8Array, { origin }: EpochView): Uint8Array {
  const { text, signatures } = parseNote(checkpoint);
  return formatNote({ text, signatures: signatures.filter(({ name }) => name === origin) });
}

/** The hash of a leaf that may be read. */
export function leafOf(hasher: Hasher, epoch: EpochView, index: number): Uint8Array {
  return hashesOf(hasher, epoch, shownSize(epoch))(0, index);
}

/**
 * The proof that leaf `index` stands in the whole tree of a closed epoch, also beyond its last head; without an index,
 * that this tree continues the last head. Refuses `not-available` while no head of the next epoch says so.
 */
export function proofOfTail(hasher: Hasher, log: LogView, epoch: EpochView, index: number | undefined): TailProof {
  const { origin, tail, heads } = epoch;
  const following = log.epochs[log.epochs.indexOf(epoch) + 1];
  if (!tail || !following?.heads.length) throw new Problem('not-available', `nothing signed follows ${origin} yet`);
  const next = formatTlogProof(proofOfLeaf(hasher, following, 0));
  const { size } = tail;
  if (index !== undefined && index >= size) throw new Problem('not-available', `leaf ${index} is not below ${size}`);
  const read = hashesOf(hasher, epoch, size);
  if (index !== undefined) {
    return { origin, proves: { index }, hashes: inclusionProof(hasher, read, index, size), next };
  }
  const from = heads.at(-1)?.size ?? 0;
  return { origin, proves: { from }, hashes: consistencyProof(hasher, read, from, size), next };
}

/** The proof that the head of size `to`, the newest when left out, continues the tree of `from` leaves. */
export function proofOfGrowth(hasher: Hasher, epoch: EpochView, from: number, to: number | undefined): AddCheckpoint {
  const { size, checkpoint } = headOfSize(epoch, to);
  if (from > size) throw new Problem('not-available', `a tree of ${size} does not continue one of ${from}`);
  return { oldSize: from, hashes: consistencyProof(hasher, hashesOf(hasher, epoch, size), from, size), checkpoint };
}
