/**
 * A Merkle tree that grows by one leaf at a time and keeps only what later hashes need: the roots of its complete
 * subtrees, at most one of each height.
 */
import { HASH_BYTES, type Hasher, nodeHash } from './merkle.ts';
import { Problem } from './problem.ts';

/** Hears of a complete subtree: its height, its place among those of that height, its hash. */
export type Completed = (level: number, index: number, hash: Uint8Array) => void;

/** A tree of `size` leaves. */
export class GrowingTree {
  readonly #hasher: Hasher;
  #size: number;
  /** Roots of the complete subtrees from left to right: one for each bit of the size, the highest first. */
  readonly #peaks: Uint8Array[];

  /** An empty tree, or the tree whose `size` and `peaks` another one gave; refuses `proof-invalid` if these differ. */
  constructor(hasher: Hasher, size = 0, peaks: readonly Uint8Array[] = []) {
    const expected = bitsOf(size);
    if (peaks.length !== expected || peaks.some((peak) => peak.length !== HASH_BYTES)) {
      throw new Problem('proof-invalid', `a tree of ${size} has ${expected} peaks of ${HASH_BYTES} bytes`);
    }
    this.#hasher = hasher;
    this.#size = size;
    this.#peaks = [...peaks];
  }

  get size(): number {
    return this.#size;
  }

  /** What a new `GrowingTree` needs to go on from here. */
  get peaks(): readonly Uint8Array[] {
    return [...this.#peaks];
  }

  /** Adds a leaf by its hash and tells of each subtree that it completes, the leaf itself first. */
  append(leaf: Uint8Array, completed?: Completed): void {
    let [level, index, hash] = [0, this.#size, leaf];
    completed?.(level, index, hash);
    while (index % 2 === 1) {
      hash = nodeHash(this.#hasher, this.#peaks.pop()!, hash);
      level += 1;
      index = (index - 1) / 2;
      completed?.(level, index, hash);
    }
    this.#peaks.push(hash);
    this.#size += 1;
  }

  /** The root now. */
  root(): Uint8Array {
    if (this.#size === 0) return this.#hasher.sha256();
    return this.#peaks.reduceRight((right, left) => nodeHash(this.#hasher, left, right));
  }
}

function bitsOf(value: number): number {
  return value.toString(2).replaceAll('0', '').length;
}
