/** Sets of sequence numbers kept as disjoint, ascending ranges: small for the nearly contiguous sets of a stream. */
import { Problem } from './problem.ts';

/** `count` numbers from `first` on. */
export interface Range {
  readonly first: number;
  readonly count: number;
}

/** A mutable set of sequence numbers. */
export class RangeSet {
  /** Ascending, disjoint, never touching: [first, end) pairs. Only `add` writes it. */
  #ranges: { first: number; end: number }[] = [];

  constructor(ranges: Iterable<Range> = []) {
    for (const { first, count } of ranges) this.add(first, count);
  }

  /** Adds the numbers first .. first + count - 1. */
  add(first: number, count: number): void {
    if (count === 0) return;
    let start = first;
    let end = first + count;
    const kept: { first: number; end: number }[] = [];
    for (const range of this.#ranges) {
      if (range.end < start || range.first > end) {
        kept.push(range);
      } else {
        start = Math.min(start, range.first);
        end = Math.max(end, range.end);
      }
    }
    kept.push({ first: start, end });
    this.#ranges = kept.sort((a, b) => a.first - b.first);
  }

  /** Takes out the numbers first .. first + count - 1. */
  remove(first: number, count: number): void {
    const end = first + count;
    this.#ranges = this.#ranges
      .flatMap((range) => [
        { first: range.first, end: Math.min(range.end, first) },
        { first: Math.max(range.first, end), end: range.end },
      ])
      .filter((range) => range.first < range.end);
  }

  /** What of the numbers first .. first + count - 1 is in the set. */
  within(first: number, count: number): Range[] {
    return this.ranges()
      .map((range) => ({ from: Math.max(range.first, first), end: Math.min(range.first + range.count, first + count) }))
      .filter(({ from, end }) => from < end)
      .map(({ from, end }) => ({ first: from, count: end - from }));
  }

  has(value: number): boolean {
    return this.#ranges.some((range) => range.first <= value && value < range.end);
  }

  /** True when all numbers of the range are in the set. */
  hasAll(first: number, count: number): boolean {
    return count === 0 || this.#ranges.some((range) => range.first <= first && first + count <= range.end);
  }

  /** The smallest number from 0 on that is not in the set: all below it are. */
  get next(): number {
    const first = this.#ranges[0];
    return first && first.first === 0 ? first.end : 0;
  }

  /** One more than the greatest number in the set; 0 for the empty set. */
  get end(): number {
    return this.#ranges.at(-1)?.end ?? 0;
  }

  /** The numbers below `below` that are not in the set; below `end` when it is left out. */
  gaps(below: number = this.end): Range[] {
    let from = 0;
    const missing: Range[] = [];
    for (const { first, end } of [...this.#ranges, { first: below, end: below }]) {
      const until = Math.min(first, below);
      if (until > from) missing.push({ first: from, count: until - from });
      from = end;
    }
    return missing;
  }

  /** All ranges, ascending. */
  ranges(): Range[] {
    return this.#ranges.map(({ first, end }) => ({ first, count: end - first }));
  }

  /** How many numbers are in the set. */
  get size(): number {
    return this.#ranges.reduce((sum, { first, end }) => sum + end - first, 0);
  }
}

/** The numbers that are in at least `least` of the sets, from 1 on. */
export function inAtLeast(sets: Iterable<RangeSet>, least: number): RangeSet {
  const steps = [...sets].flatMap((set) =>
    set.ranges().flatMap(({ first, count }) => [
      { at: first, by: 1 },
      { at: first + count, by: -1 },
    ]),
  );
  const shared = new RangeSet();
  let depth = 0;
  let from = 0;
  for (const { at, by } of steps.sort((a, b) => a.at - b.at)) {
    if (depth >= least) shared.add(from, at - from);
    from = at;
    depth += by;
  }
  return shared;
}

/** A range set from ranges that must be ascending, disjoint and not empty, as parsers receive them. */
export function strictRanges(ranges: readonly Range[], code: 'receipt-invalid' | 'file-invalid'): RangeSet {
  let from = 0;
  for (const [i, { first, count }] of ranges.entries()) {
    if (first < from || count < 1 || !Number.isSafeInteger(first + count)) {
      throw new Problem(code, `range ${i} (${first}, ${count}) is empty, out of order or touches the one before`);
    }
    from = first + count + 1;
  }
  return new RangeSet(ranges);
}
