/**
 * The spool: every record that a sender answers for, encrypted on its own disk, from the moment it was taken in until
 * it is released.
 *
 *     FOLDER/state                       what must not be forgotten: spool-state.ts
 *     FOLDER/segment-<number>-<id>       the records, about a MiB each: spool-entry.ts
 *
 * A record is taken when `flush` returned, and in a block only after that. Record numbers are those of the run, from 0.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../protocol/bytes.ts';
import type { Problem } from '../../protocol/problem.ts';
import { type Range, RangeSet } from '../../protocol/ranges.ts';
import { NO_RUN } from '../../protocol/stream.ts';
import type { Run } from './run-state.ts';
import { lastUpTo, SegmentCache } from './spool-cache.ts';
import { countOf, DamageBook } from './spool-damage.ts';
import { type SpoolEntry, spanOf } from './spool-entry.ts';
import { PendingEntries } from './spool-pending.ts';
import { findSpool, type SpoolCounters } from './spool-recovery.ts';
import { Segment } from './spool-segment.ts';
import { guarded, MAX_SEGMENTS, SEGMENT_ID_BYTES, type SegmentOptions, StateFile } from './spool-state.ts';

const MIN_SEGMENT_BYTES = 65_536;
/** What is written at once: little, so that a nearly full disk takes it too. */
const PART_BYTES = 65_536;

export interface SpoolOptions extends SegmentOptions {
  readonly folder: string;
  /** Most bytes on disk before it is full. */
  readonly limitBytes: number;
  readonly onProblem: (problem: Problem) => void;
}

/** An entry and the number of its first record. */
export interface Placed {
  readonly first: number;
  readonly entry: SpoolEntry;
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #segmentBytes: number;
  readonly #stateFile: StateFile;
  readonly #cache: SegmentCache;
  /** Ascending; entries are appended to the last one. */
  #segments: readonly Segment[];
  /** Numbers that are released but whose segment still stands. Inside, numbers go on over runs. */
  readonly #released: RangeSet;
  /** Released numbers whose segment must stay for a while. */
  readonly #kept = new RangeSet();
  #counters: SpoolCounters;
  /** What `flush` has not written yet. */
  readonly pending = new PendingEntries();
  /** The last segment takes nothing more. */
  #sealed = false;
  readonly #damage: DamageBook;

  /** Opens or makes the spool; one process at a time. What is damaged is named, and the rest kept. */
  constructor(options: SpoolOptions) {
    const { folder, limitBytes, onProblem } = options;
    this.#options = options;
    this.#segmentBytes = Math.max(MIN_SEGMENT_BYTES, Math.ceil(limitBytes / 1024));
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#stateFile = new StateFile(join(folder, 'state'), options);
    const { counters, segments, released } = findSpool(folder, this.#stateFile, options, onProblem);
    this.#counters = counters;
    this.#segments = segments;
    this.#released = released;
    this.#damage = new DamageBook(released, onProblem);
    this.#cache = new SegmentCache((...read) => this.#damage.note(...read));
  }

  /**
   * The run of the stream: the one that the spool holds, with its numbers, or a new one of `makeRun`, into which
   * everything that is not released is packed.
   */
  begin(streamId: Uint8Array, makeRun: () => Run): Run {
    if (!equalBytes(streamId, this.#counters.streamId)) {
      this.#change({ ...makeRun(), streamId, runBase: this.#counters.nextNumber, nextBlock: 0 });
    }
    this.#carryOver();
    return this.#counters;
  }

  /** The next start begins a new run. */
  forgetRun(): void {
    this.#change({ streamId: NO_RUN });
  }

  /** The number that the next record gets. */
  get next(): number {
    return this.#counters.nextNumber - this.#runBase;
  }

  /** Bytes on disk, and of what waits to be written. */
  get bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, this.pending.bytes);
  }

  get limitBytes(): number {
    return this.#options.limitBytes;
  }

  get full(): boolean {
    return this.bytes >= this.#options.limitBytes || this.#segments.length >= MAX_SEGMENTS;
  }

  /** Records that damage took since the start of this process. */
  get lost(): number {
    return this.#damage.lost;
  }

  /** Numbers that are not released. */
  open(): RangeSet {
    const open = new RangeSet(this.#segments.map(({ base, count }) => ({ first: base - this.#runBase, count })));
    for (const { first, count } of this.#released.ranges()) open.remove(first - this.#runBase, count);
    return open;
  }

  /**
   * Writes the first part of what is pending, durable when it returns; gives its entries with their numbers. When it
   * throws, all of it is still pending.
   */
  flush(): readonly Placed[] {
    const part = this.pending.part(PART_BYTES);
    if (part.length === 0) return [];
    const last = this.#last();
    if (!last.hasFiles && part.some(({ kind }) => kind === 'file')) this.#markFiles(last);
    let first = last.end - this.#runBase;
    guarded(this.#options.folder, () => last.append(part));
    this.#counters = { ...this.#counters, nextNumber: last.end };
    this.pending.remove(part);
    return part.map((entry) => {
      const here = { first, entry };
      first += spanOf(entry);
      return here;
    });
  }

  /** The entry that record `number` belongs to; null when it is lost or its segment is gone. */
  at(number: number): Placed | null {
    const inside = number + this.#runBase;
    const segment = lastUpTo(this.#segments, ({ base }) => base, inside);
    const found = segment && inside < segment.end && this.#cache.entryAt(segment, inside - segment.base);
    return found ? { first: segment.base + found.ordinal - this.#runBase, entry: found.entry } : null;
  }

  /** Files of segments that still stand, released ones too. */
  files(): readonly Placed[] {
    return this.#segments
      .filter(({ hasFiles }) => hasFiles)
      .flatMap((segment) =>
        this.#cache
          .entries(segment)
          .map(({ ordinal, entry }) => ({ first: segment.base + ordinal - this.#runBase, entry })),
      )
      .filter(({ entry }) => entry.kind === 'file');
  }

  /** These records need not be kept; durable with the next `save`. */
  release(first: number, count: number): void {
    this.#released.add(first + this.#runBase, count);
  }

  /** Takes a `release` back that no `save` followed. */
  reopen(first: number, count: number): void {
    this.#released.remove(first + this.#runBase, count);
  }

  /** Whether the segment of these released numbers is to stay although nothing of it is open. */
  keep(first: number, count: number, keep: boolean): void {
    if (keep) this.#kept.add(first + this.#runBase, count);
    else this.#kept.remove(first + this.#runBase, count);
  }

  /** Removes the segments of which nothing is open; the last one only when that frees something. */
  collect(): void {
    const last = this.#segments.at(-1);
    const gone = this.#segments.filter((segment) => {
      const isInUse = segment === last && !this.#sealed && segment.size < MIN_SEGMENT_BYTES;
      return !isInUse && this.#isDone(segment);
    });
    if (gone.length > 0) this.#remove(gone);
  }

  /**
   * Lets go of the oldest segment that holds neither files nor any of the numbers `inFlight`; gives what it held, null
   * when there is none.
   */
  dropOldest(inFlight: RangeSet): readonly Range[] | null {
    const oldest = this.#segments.find(
      ({ base, count, hasFiles }) =>
        !hasFiles && count > 0 && inFlight.within(base - this.#runBase, count).length === 0,
    );
    if (!oldest) return null;
    const dropped = this.open().within(oldest.base - this.#runBase, oldest.count);
    this.#remove([oldest]);
    return dropped;
  }

  /** A block number that was never given out before; durable before it is given. */
  nextBlock(): number {
    const { nextBlock } = this.#counters;
    this.#change({ nextBlock: nextBlock + 1 });
    return nextBlock;
  }

  /** Makes what was released and which numbers are used durable. */
  save(): void {
    const lowest = this.#segments[0]?.base ?? this.#counters.nextNumber;
    const released = this.#released.within(lowest, this.#counters.nextNumber - lowest);
    const state = { ...this.#counters, segments: this.#segments, released };
    guarded(this.#options.folder, () => this.#stateFile.save(state));
    this.#released.remove(0, lowest);
  }

  /** The segment that takes entries. It stands in the state before anything stands in it. */
  #last(): Segment {
    const last = this.#segments.at(-1);
    if (last && !this.#sealed && last.size < this.#segmentBytes) return last;
    const { engine, folder } = this.#options;
    const { nextSegment: number, nextNumber: base } = this.#counters;
    const id = engine.random(SEGMENT_ID_BYTES);
    const made = new Segment(folder, { number, id, base, count: 0, hasFiles: false }, this.#options);
    this.#change({ nextSegment: number + 1 }, [...this.#segments, made]);
    this.#sealed = false;
    return made;
  }

  /** Changes what the state says, durable when it returns; when it throws, nothing changed. */
  #change(counters: Partial<SpoolCounters>, segments: readonly Segment[] = this.#segments): void {
    const before = { counters: this.#counters, segments: this.#segments };
    this.#counters = { ...before.counters, ...counters };
    this.#segments = segments;
    try {
      this.save();
    } catch (thrown) {
      this.#counters = before.counters;
      this.#segments = before.segments;
      throw thrown;
    }
  }

  /** Says in the state that the segment holds files, before it does. */
  #markFiles(segment: Segment): void {
    segment.hasFiles = true;
    try {
      this.save();
    } catch (thrown) {
      segment.hasFiles = false;
      throw thrown;
    }
  }

  #isDone({ base, count }: Segment): boolean {
    return this.#released.hasAll(base, count) && this.#kept.within(base, count).length === 0;
  }

  /** The state forgets a segment first: one that is missing there is never read again. */
  #remove(gone: readonly Segment[]): void {
    const left = this.#segments.filter((segment) => !gone.includes(segment));
    this.#change({}, left);
    for (const segment of gone) {
      this.#damage.forget(segment);
      segment.remove();
    }
  }

  /** Packs what segments of an earlier run hold into this run, one segment after the other. */
  #carryOver(): void {
    if ((this.#segments.at(-1)?.base ?? this.#runBase) < this.#runBase) this.#sealed = true;
    for (let old = this.#segments[0]; old && old.base < this.#runBase; old = this.#segments[0]) {
      for (const { ordinal, entry } of this.#cache.entries(old)) {
        const open = spanOf(entry) - countOf(this.#released.within(old.base + ordinal, spanOf(entry)));
        if (open > 0) this.pending.add(entry);
      }
      while (this.pending.count > 0) this.flush();
      this.#remove([old]);
    }
  }

  get #runBase(): number {
    return this.#counters.runBase;
  }
}
