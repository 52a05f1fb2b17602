/**
 * What a receiver says of the course of its streams: blocks and records that are missing, blocks that came twice, old
 * runs that came back, and runs that do not follow on the last one.
 *
 * A hole in the numbers of blocks is no loss by itself, since a sender that was killed leaves one. So records are told
 * apart: those are missing that stand before a hole, or that an idle sender has let go of.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import type { Frame } from '../../protocol/frame.ts';
import type { IdleReport } from '../../protocol/payload.ts';
import type { Range } from '../../protocol/ranges.ts';
import { NO_RUN, runStartedMs } from '../../protocol/stream.ts';
import { toHex } from '../../protocol/text.ts';
import type { Notices } from '../lib/notices.ts';
import type { RunMark, StreamMark } from './stream-marks.ts';

/** Most ranges that a sentence names. */
const NAMED_RANGES = 4;

export interface ContinuityCounters {
  /** Blocks that came again. */
  duplicates: number;
  /** Blocks of old runs that came back. */
  replays: number;
  /** Runs that did not follow on the last one that was seen. */
  brokenRuns: number;
  /** Blocks and records that are missing now. */
  missingBlocks: number;
  missingRecords: number;
}

/** What was last found missing of a run. */
interface Holes {
  blocks: number;
  records: number;
  /** Records below this must be here, or they are missing. */
  recordsEnd: number;
  said: string;
}

export class Continuity {
  readonly counters: ContinuityCounters = {
    duplicates: 0,
    replays: 0,
    brokenRuns: 0,
    missingBlocks: 0,
    missingRecords: 0,
  };
  readonly #notices: Notices;
  /** Goes with the mark when a run is closed. */
  readonly #holes = new WeakMap<RunMark, Holes>();

  constructor(notices: Notices) {
    this.#notices = notices;
  }

  duplicate(sender: string): void {
    this.counters.duplicates += 1;
    this.#notices.report(`duplicate ${sender}`, `a block of ${sender} came again; no record is taken twice`);
  }

  replay(sender: string): void {
    this.counters.replays += 1;
    this.#notices.report(`replay ${sender}`, `an old run of ${sender} came back and was rejected [replay]`);
  }

  /** A run is seen for the first time; to be called before it has a mark. */
  newRun(sender: string, { run, previousRun }: Pick<Frame, 'run' | 'previousRun'>, mark: StreamMark): void {
    const { newestRun } = mark;
    if (equalBytes(previousRun, newestRun ?? NO_RUN)) return;
    if (newestRun && runStartedMs(run) < runStartedMs(newestRun)) return; // it only came late
    this.counters.brokenRuns += 1;
    this.#notices.report(`run ${sender} ${toHex(run)}`, brokenRun(sender, previousRun, mark));
  }

  /** Looks for holes after a block of `run` was taken; `idle` is what an idle block said. */
  look(sender: string, frame: Pick<Frame, 'firstRecord'>, run: RunMark, idle: IdleReport | null): void {
    const before = this.#holes.get(run) ?? { blocks: 0, records: 0, recordsEnd: 0, said: '' };
    const blocks = sizeOf(run.blocks.gaps());
    let { recordsEnd } = before;
    if (blocks > before.blocks) recordsEnd = Math.max(recordsEnd, run.records.end);
    if (idle?.backlogRecords === 0) recordsEnd = Math.max(recordsEnd, frame.firstRecord);
    const missing = run.records.gaps(recordsEnd);
    const records = sizeOf(missing);
    this.counters.missingBlocks += blocks - before.blocks;
    this.counters.missingRecords += records - before.records;
    const sentence = missingSentence(sender, blocks, missing);
    const isNews = sentence !== before.said && this.#notices.report(`missing ${sender}`, sentence || healed(sender));
    this.#holes.set(run, { blocks, records, recordsEnd, said: isNews ? sentence : before.said });
  }
}

function brokenRun(sender: string, previousRun: Uint8Array, mark: StreamMark): string {
  if (equalBytes(previousRun, NO_RUN)) return `${sender} began anew without the memory of its last run`;
  if (mark.knows(previousRun)) return `${sender} went back to an earlier state: it goes on from a run before its last`;
  return `${sender} goes on from a run that was never seen here: records of it may be missing`;
}

/** Empty when nothing is missing. */
function missingSentence(sender: string, blocks: number, missing: readonly Range[]): string {
  const records = sizeOf(missing);
  if (blocks + records === 0) return '';
  const parts = [
    ...(blocks > 0 ? [`${blocks} ${blocks === 1 ? 'block' : 'blocks'}`] : []),
    ...(records > 0 ? [`${records === 1 ? 'record' : 'records'} ${rangesText(missing)}`] : []),
  ];
  const are = blocks + records === 1 ? 'is' : 'are';
  return `${parts.join(' and ')} of the stream of ${sender} ${are} missing${records === 0 ? '; no record is' : ''}`;
}

function healed(sender: string): string {
  return `nothing of the stream of ${sender} is missing any more`;
}

/** As `17 to 40, 52`. */
function rangesText(ranges: readonly Range[]): string {
  const named = ranges
    .slice(0, NAMED_RANGES)
    .map(({ first, count }) => (count === 1 ? `${first}` : `${first} to ${first + count - 1}`));
  const more = ranges.length > NAMED_RANGES ? ` and ${sizeOf(ranges.slice(NAMED_RANGES))} more` : '';
  return `${named.join(', ')}${more}`;
}

function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, { count }) => sum + count, 0);
}
