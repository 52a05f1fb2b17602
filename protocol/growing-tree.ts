/**
 * A Merkle tree that grows by one leaf at a time and keeps only what later hashes need: the roots of its complete
 * subtrees, at most one of each height.
 */
import { type Hasher, type HashReader, nodeHash } from './merkle.ts';

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

  /** The tree of the first `size` leaves, whose complete subtrees `read` gives. */
  static of(hasher: Hasher, size: number, read: HashReader): GrowingTree {
    const tree = new GrowingTree(hasher);
    for (let height = Math.floor(Math.log2(Math.max(1, size))); height >= 0; height--) {
      const span = 2 ** height;
      if (size - tree.#size < span) continue;
      tree.#peaks.push(read(height, tree.#size / span));
      tree.#size += span;
    }
    return tree;
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
