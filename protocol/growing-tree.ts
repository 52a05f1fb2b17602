/**
 * A Merkle tree that grows by one leaf at a time and keeps only what later hashes need: the roots of its complete
 * subtrees, at most one of each height.
 */
import { type Hasher, nodeHash } from './merkle.ts';

/** Hears of a complete subtree: its height, its place among those of that height, its hash. */
export type Completed = (level: number, index: number, hash: Uint8Array) => void;

export class GrowingTree {
  readonly #hasher: Hasher;
  /** Roots of the complete subtrees from left to right: one for each bit of the size, the highest first. */
  readonly #peaks: Uint8Array[] = [];
  #size = 0;

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  /** How many leaves it has. */
  get size(): number {
    return this.#size;
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
