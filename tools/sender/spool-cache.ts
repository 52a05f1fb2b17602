/** The segments of a spool that were read last: few, so that memory does not grow with the spool. */
import { type Range, RangeSet } from '../../protocol/ranges.ts';
import { type LocatedEntry, spanOf } from './spool-entry.ts';
import type { Segment } from './spool-segment.ts';

const SEGMENTS = 2;

/** Told with each reading of a segment: where its bytes are damaged, and which of its ordinals are missing. */
export type OnRead = (segment: Segment, damaged: string, missing: readonly Range[]) => void;

/** What a segment held when it was read. */
interface Reading {
  readonly size: number;
  readonly count: number;
  readonly entries: readonly LocatedEntry[];
  /** Every byte belonged to an entry or to damage: what is appended can be read by itself. */
  readonly isWhole: boolean;
}

const NOTHING: Reading = { size: 0, count: 0, entries: [], isWhole: true };

export class SegmentCache {
  readonly #onRead: OnRead;
  /** By segment number, the one that was asked for last at the end. */
  readonly #read = new Map<number, Reading>();

  constructor(onRead: OnRead) {
    this.#onRead = onRead;
  }

  /** All entries of a segment that are whole, ascending. Of one that grew only the rest is read. */
  entries(segment: Segment): readonly LocatedEntry[] {
    const known = this.#read.get(segment.number);
    if (known?.size === segment.size) return known.entries;
    const before = known?.isWhole && known.size < segment.size ? known : NOTHING;
    const { entries, damage, end } = segment.scan(before.size);
    const { size, count } = segment;
    const all = [...before.entries, ...entries];
    this.#read.delete(segment.number);
    this.#read.set(segment.number, { size, count, entries: all, isWhole: end === size });
    if (this.#read.size > SEGMENTS) this.#read.delete(this.#read.keys().next().value!);
    const missing = new RangeSet([{ first: before.count, count: count - before.count }]);
    for (const { ordinal, entry } of entries) missing.remove(ordinal, spanOf(entry));
    const rest = end < size ? [{ from: end, to: size }] : []; // half an entry where none was broken off
    const places = [...damage, ...rest].slice(0, 3).map(({ from, to }) => `${to - from} bytes damaged at ${from}`);
    this.#onRead(segment, places.join(', '), missing.ranges());
    return all;
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
