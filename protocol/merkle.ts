/**
 * The Merkle tree of the audit log: hashes, roots, proofs and their verifiers (RFC 6962 section 2.1, RFC 9162
 * section 2.1), with SHA-256.
 *
 * A proof is made from the hashes of complete subtrees, which a reader gives one by one: whoever keeps tiles needs no
 * leaves. Sizes are whole numbers up to 2^53 - 1, so shifts are divisions.
 */
import { equalBytes } from './bytes.ts';
import type { Engine } from './engine/engine.ts';
import { Problem } from './problem.ts';

export type Hasher = Pick<Engine, 'sha256'>;

export const HASH_BYTES = 32;
/** The most hashes that a written proof may have (C2SP tlog-witness, section add-checkpoint). */
export const MAX_PROOF_HASHES = 63;

/**
 * Hash of the complete subtree `index` of height `level`: of the leaves index * 2^level to (index + 1) * 2^level - 1.
 * Asked only for subtrees inside the tree.
 */
export type HashReader = (level: number, index: number) => Uint8Array;

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

/** The hash of a leaf that holds `entry`. */
export function leafHash(hasher: Hasher, entry: Uint8Array): Uint8Array {
  return hasher.sha256(LEAF, entry);
}

/** The hash of a node over two others. */
export function nodeHash(hasher: Hasher, left: Uint8Array, right: Uint8Array): Uint8Array {
  return hasher.sha256(NODE, left, right);
}

/** The root of the first `size` leaves. */
export function rootOf(hasher: Hasher, read: HashReader, size: number): Uint8Array {
  return size === 0 ? hasher.sha256() : rangeHash(hasher, read, 0, size);
}

/** The inclusion proof of leaf `index` in the first `size` leaves: from the leaf's sibling up to the root's child. */
export function inclusionProof(hasher: Hasher, read: HashReader, index: number, size: number): Uint8Array[] {
  if (index >= size) throw new Problem('proof-invalid', `leaf ${index} is not in a tree of ${size}`);
  const proof: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      proof.push(rangeHash(hasher, read, middle, end));
      end = middle;
    } else {
      proof.push(rangeHash(hasher, read, start, middle));
      start = middle;
    }
  }
  return proof.reverse();
}

/** The consistency proof from the first `oldSize` leaves to the first `size`; empty from 0 and from `size` itself. */
export function consistencyProof(hasher: Hasher, read: HashReader, oldSize: number, size: number): Uint8Array[] {
  if (oldSize > size) throw new Problem('proof-invalid', `a tree of ${size} does not continue one of ${oldSize}`);
  if (oldSize === 0) return [];
  const proof: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end !== oldSize) {
    const middle = start + split(end - start);
    if (oldSize <= middle) {
      proof.push(rangeHash(hasher, read, middle, end));
      end = middle;
    } else {
      proof.push(rangeHash(hasher, read, start, middle));
      start = middle;
    }
  }
  // From 0 on, what is left is the old tree, whose root the verifier has.
  if (start > 0) proof.push(rangeHash(hasher, read, start, end));
  return proof.reverse();
}

/** Refuses `proof-invalid` unless `leaf` is the hash of leaf `index` under `root` (RFC 9162 section 2.1.3.2). */
export function verifyInclusion(
  hasher: Hasher,
  proof: readonly Uint8Array[],
  index: number,
  leaf: Uint8Array,
  size: number,
  root: Uint8Array,
): void {
  if (index >= size) throw new Problem('proof-invalid', `leaf ${index} is not in a tree of ${size}`);
  let hash = leaf;
  climb(proof, index, size - 1, (step, isLeft) => {
    hash = isLeft ? nodeHash(hasher, step, hash) : nodeHash(hasher, hash, step);
  });
  if (!equalBytes(hash, root)) throw new Problem('proof-invalid', `the proof of leaf ${index} leads to another root`);
}

/**
 * Refuses `proof-invalid` unless the tree of `size` leaves under `root` continues that of `oldSize` under `oldRoot`
 * (RFC 9162 section 2.1.4.2; from size 0 and to the same size as C2SP tlog-witness, section add-checkpoint).
 */
export function verifyConsistency(
  hasher: Hasher,
  proof: readonly Uint8Array[],
  oldSize: number,
  oldRoot: Uint8Array,
  size: number,
  root: Uint8Array,
): void {
  if (oldSize > size) throw new Problem('proof-invalid', `a tree of ${size} does not continue one of ${oldSize}`);
  if (oldSize === 0 || oldSize === size) {
    const known = oldSize === size ? root : hasher.sha256();
    if (proof.length > 0) throw new Problem('proof-invalid', `from ${oldSize} to ${size} there is nothing to prove`);
    if (!equalBytes(oldRoot, known)) throw new Problem('proof-invalid', `two roots for the size ${oldSize}`);
    return;
  }
  let [node, last] = [oldSize - 1, size - 1];
  while (isOdd(node)) [node, last] = [half(node), half(last)];
  // `node` is 0 exactly when the old size is a power of two: its root is itself the first hash.
  const [first, ...steps] = node === 0 ? [oldRoot, ...proof] : proof;
  if (!first) throw new Problem('proof-invalid', `no hash where ${oldSize} and ${size} leaves need some`);
  let [oldHash, hash] = [first, first];
  climb(steps, node, last, (step, isLeft) => {
    if (isLeft) oldHash = nodeHash(hasher, step, oldHash);
    hash = isLeft ? nodeHash(hasher, step, hash) : nodeHash(hasher, hash, step);
  });
  if (!equalBytes(oldHash, oldRoot))
    throw new Problem('proof-invalid', `the proof leads to another root of ${oldSize}`);
  if (!equalBytes(hash, root)) throw new Problem('proof-invalid', `the proof leads to another root of ${size}`);
}

/**
 * Goes from `node` up to the root of a tree whose last node on that level is `last`, and hands over each hash with
 * its side; refuses `proof-invalid` unless there is exactly one hash for each step.
 */
function climb(
  hashes: readonly Uint8Array[],
  node: number,
  last: number,
  take: (hash: Uint8Array, isLeft: boolean) => void,
): void {
  for (const hash of hashes) {
    if (last === 0) throw new Problem('proof-invalid', `${hashes.length} hashes are more than there are steps`);
    const isLeft = isOdd(node) || node === last;
    take(hash, isLeft);
    // A last node without a sibling goes up unchanged.
    while (isLeft && !isOdd(node) && node !== 0) [node, last] = [half(node), half(last)];
    [node, last] = [half(node), half(last)];
  }
  if (last !== 0) throw new Problem('proof-invalid', `${hashes.length} hashes are fewer than there are steps`);
}

/** Hash of the leaves `start` to `end` - 1, where `start` is a multiple of the smallest power of two that holds them. */
function rangeHash(hasher: Hasher, read: HashReader, start: number, end: number): Uint8Array {
  const count = end - start;
  const left = split(count);
  if (count === 1) return read(0, start);
  if (count === left * 2) return read(Math.round(Math.log2(count)), start / count);
  const middle = start + left;
  return nodeHash(hasher, rangeHash(hasher, read, start, middle), rangeHash(hasher, read, middle, end));
}

/** The greatest power of two below `count`; 0.5 for 1. */
function split(count: number): number {
  let power = 0.5;
  while (power * 2 < count) power *= 2;
  return power;
}

function isOdd(value: number): boolean {
  return value % 2 === 1;
}

function half(value: number): number {
  return Math.floor(value / 2);
}
