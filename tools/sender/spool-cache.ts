/** The segments of a spool that were read last: few, so that memory does not grow with the spool. */
import { type Range, RangeSet } from '../../protocol/ranges.ts';
import { type LocatedEntry, spanOf } from './spool-entry.ts';
import type { Segment } from './spool-segment.ts';

const SEGMENTS = 2;

/** Told with each reading of a segment: where its bytes are damaged, and which of its ordinals are missing. */
export type OnRead = (segment: Segment, damaged: string, missing: readonly Range[]) => void;

export class SegmentCache {
  readonly #onRead: OnRead;
  /** By segment number, the one that was asked for last at the end. */
  readonly #read = new Map<number, { readonly size: number; readonly entries: readonly LocatedEntry[] }>();

  constructor(onRead: OnRead) {
    this.#onRead = onRead;
  }

  /** All entries of a segment that are whole, ascending. */
  entries(segment: Segment): readonly LocatedEntry[] {
    const known = this.#read.get(segment.number);
    if (known?.size === segment.size) return known.entries;
    const { entries, damage, end } = segment.scan();
    const rest = end < segment.size ? [{ from: end, to: segment.size }] : []; // half an entry where none was broken off
    this.#read.delete(segment.number);
    this.#read.set(segment.number, { size: segment.size, entries });
    if (this.#read.size > SEGMENTS) this.#read.delete(this.#read.keys().next().value!);
    const there = new RangeSet(entries.map(({ ordinal, entry }) => ({ first: ordinal, count: spanOf(entry) })));
    const missing = new RangeSet([{ first: 0, count: segment.count }]);
    for (const { first, count } of there.ranges()) missing.remove(first, count);
    const places = [...damage, ...rest].slice(0, 3).map(({ from, to }) => `${to - from} bytes damaged at ${from}`);
    this.#onRead(segment, places.join(', '), missing.ranges());
    return entries;
  }

  /** The entry that holds `ordinal`; undefined when damage took it. */
  entryAt(segment: Segment, ordinal: number): LocatedEntry | undefined {
    const found = lastUpTo(this.entries(segment), (entry) => entry.ordinal, ordinal);
    return found && ordinal < found.ordinal + spanOf(found.entry) ? found : undefined;
  }
}

/** The last of an ascending list whose value is at most `limit`. */
export function lastUpTo<T>(list: readonly T[], numberOf: (item: T) => number, limit: number): T | undefined {
  let low = -1;
  for (let high = list.length; high - low > 1; ) {
    const middle = (low + high) >> 1;
    if (numberOf(list[middle]!) <= limit) low = middle;
    else high = middle;
  }
  return list[low];
}
