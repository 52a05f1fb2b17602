/** The way from a leaf up to the root, step by step, as it is drawn. */
import { type Hasher, nodeHash } from '../../../protocol/merkle.ts';

/** One step: the hash beside the way, which leaves it stands for, and what both give. */
export interface PathStep {
  readonly sibling: Uint8Array;
  readonly isLeft: boolean;
  /** The sibling stands for the leaves `from` to `below` - 1. */
  readonly from: number;
  readonly below: number;
  readonly node: Uint8Array;
}

/** The steps of an inclusion proof of leaf `index` among `size` leaves, from the leaf up. */
export function proofPath(
  hasher: Hasher,
  leaf: Uint8Array,
  hashes: readonly Uint8Array[],
  index: number,
  size: number,
): PathStep[] {
  const beside: Pick<PathStep, 'isLeft' | 'from' | 'below'>[] = [];
  for (let [from, below] = [0, size]; below - from > 1; ) {
    let half = 1;
    while (half * 2 < below - from) half *= 2;
    const middle = from + half;
    if (index < middle) {
      beside.unshift({ isLeft: false, from: middle, below });
      below = middle;
    } else {
      beside.unshift({ isLeft: true, from, below: middle });
      from = middle;
    }
  }
  let node = leaf;
  return beside.map((step, i) => {
    const sibling = hashes[i]!;
    node = step.isLeft ? nodeHash(hasher, sibling, node) : nodeHash(hasher, node, sibling);
    return { ...step, sibling, node };
  });
}
