/** What damage took from a spool: counted, named once a segment, and given up, so that nothing waits for it. */
import { Problem } from '../../protocol/problem.ts';
import type { Range, RangeSet } from '../../protocol/ranges.ts';
import type { Segment } from './spool-segment.ts';

export class DamageBook {
  /** Records that were lost since the start of this process. */
  lost = 0;
  readonly #released: RangeSet;
  readonly #onProblem: (problem: Problem) => void;
  /** Names of segments whose damage was told. */
  readonly #named = new Set<string>();

  /** Numbers that are lost are added to `released`. */
  constructor(released: RangeSet, onProblem: (problem: Problem) => void) {
    this.#released = released;
    this.#onProblem = onProblem;
  }

  /** A segment was read: `damaged` says where its bytes are no entries, `missing` which of its ordinals are gone. */
  note(segment: Segment, damaged: string, missing: readonly Range[]): void {
    let count = 0;
    for (const range of missing) {
      const first = segment.base + range.first;
      count += range.count - countOf(this.#released.within(first, range.count));
      this.#released.add(first, range.count);
    }
    this.lost += count;
    if (count === 0 && (damaged === '' || this.#named.has(segment.name))) return;
    this.#named.add(segment.name);
    const fact = `spool ${segment.name}: ${damaged || 'cut off'}`;
    this.#onProblem(new Problem('spool-damaged', `${fact}, ${count === 0 ? 'no' : count} records lost`));
  }

  /** The segment is gone for good. */
  forget({ name }: Segment): void {
    this.#named.delete(name);
  }
}

/** How many numbers disjoint ranges hold. */
export function countOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { count }) => sum + count, 0);
}
