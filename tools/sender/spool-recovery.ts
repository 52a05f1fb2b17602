/** How a spool is found at a start: by its state, or without one by its segments, after a stop, a kill or damage. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { RangeSet } from '../../protocol/ranges.ts';
import { NO_RUN } from '../../protocol/stream.ts';
import { spanOf } from './spool-entry.ts';
import { Segment, segmentOf } from './spool-segment.ts';
import type { SegmentOptions, SpoolState, StateFile } from './spool-state.ts';

/** The state of a spool but for its segments and what of them is released. */
export type SpoolCounters = Omit<SpoolState, 'segments' | 'released'>;

export interface FoundSpool {
  readonly counters: SpoolCounters;
  readonly segments: readonly Segment[];
  readonly released: RangeSet;
}

/** Finds what `folder` holds. What the state has forgotten is removed, what a crash broke off is cut off. */
export function findSpool(
  folder: string,
  stateFile: StateFile,
  options: SegmentOptions,
  onProblem: (problem: Problem) => void,
): FoundSpool {
  const state = stateFile.read();
  if (typeof state !== 'string') return byState(folder, state, options);
  const found = bySegments(folder, options);
  if (state === 'damaged' || found.segments.length > 0) {
    const fact = `${folder} does not say any more how far its records were delivered`;
    onProblem(new Problem('spool-damaged', `${fact}: a new run begins, and some may arrive twice`));
  }
  return found;
}

function byState(folder: string, state: SpoolState, options: SegmentOptions): FoundSpool {
  const { segments: listed, released, ...counters } = state;
  const segments = listed.map((segment) => new Segment(folder, segment, options));
  const known = segments.map(({ name }) => name);
  for (const name of readdirSync(folder)) {
    if (segmentOf(name) && !known.includes(name)) rmSync(join(folder, name), { force: true });
  }
  const nextNumber = openLast(segments, counters);
  return { counters: { ...counters, nextNumber }, segments, released: new RangeSet(released) };
}

/**
 * Finds the end of the last segment, which may hold more than the state knows, and half an entry. Gives the number
 * that comes next.
 */
function openLast(segments: readonly Segment[], { runBase, nextNumber }: SpoolCounters): number {
  const last = segments.at(-1);
  if (!last) return nextNumber;
  const { entries, end } = last.scan();
  const isCarrying = segments[0]!.base < runBase && last.base >= runBase;
  // While an earlier run is carried over, what the state does not know of stands in an old segment as well.
  const kept = isCarrying ? entries.filter(({ ordinal }) => ordinal < last.count) : entries;
  const newest = kept.at(-1);
  last.truncate(isCarrying ? (newest?.end ?? 0) : end);
  const next = Math.max(nextNumber, newest ? last.base + newest.ordinal + spanOf(newest.entry) : 0);
  last.count = next - last.base;
  return next;
}

/** Without a state the segments still say what they hold, but not what of it was delivered. */
function bySegments(folder: string, options: SegmentOptions): FoundSpool {
  const segments: Segment[] = [];
  let [nextNumber, nextSegment] = [0, 0];
  for (const { number, id } of readdirSync(folder)
    .sort()
    .flatMap((name) => segmentOf(name) ?? [])) {
    const segment = new Segment(folder, { number, id, base: nextNumber, count: 0, hasFiles: false }, options);
    const { entries, end } = segment.scan();
    segment.truncate(end);
    const newest = entries.at(-1);
    segment.count = newest ? newest.ordinal + spanOf(newest.entry) : 0;
    segments.push(segment);
    nextNumber = segment.end;
    nextSegment = number + 1;
  }
  const none = { streamId: NO_RUN, run: NO_RUN, previousRun: NO_RUN, runBase: 0, nextBlock: 0 };
  return { counters: { ...none, nextNumber, nextSegment }, segments, released: new RangeSet() };
}
