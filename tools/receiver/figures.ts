/** The figures of a receiver: what its metrics show. */
import type { Figure, Figures } from '../lib/client-metrics.ts';
import type { Downlink } from './downlink.ts';
import type { Intake } from './intake.ts';
import type { Silence } from './silence.ts';

export interface FigureSources {
  readonly intake: Intake;
  readonly downlink: Downlink;
  readonly silence: Silence;
  readonly rosterVersion: () => number;
  /** Files that were given up since the start. */
  readonly incompleteFiles: () => number;
  /** Monotonic ms. */
  readonly now: () => number;
}

/** Figures of the receiver that these parts make up. */
export function receiverFigures({
  intake,
  downlink,
  silence,
  rosterVersion,
  incompleteFiles,
  now,
}: FigureSources): Figures {
  const startedMs = now();
  const counter = (help: string, read: () => number): Figure => ({ kind: 'counter', help, read });
  const gauge = (help: string, read: () => number): Figure => ({ kind: 'gauge', help, read });
  return {
    blocks_total: counter('Blocks taken.', () => intake.counters.blocks),
    idle_blocks_total: counter('Blocks taken that carried nothing.', () => intake.counters.idleBlocks),
    records_total: counter('Readings committed.', () => intake.counters.records),
    files_total: counter('Files that arrived whole.', () => intake.counters.files),
    incomplete_files_total: counter('Files given up: no chunk came for a week.', incompleteFiles),
    repeated_records_total: counter('Readings that came again and were not committed twice.', () => {
      return intake.counters.repeatedRecords;
    }),
    duplicates_total: counter('Blocks that came again.', () => intake.counters.duplicates),
    replays_total: counter('Blocks of old runs that were rejected.', () => intake.counters.replays),
    broken_runs_total: counter('Runs that did not follow on the last one.', () => intake.counters.brokenRuns),
    rejects_total: counter('Blocks rejected, replays among them.', () => intake.counters.rejects),
    missing_blocks: gauge('Numbers of blocks that are missing now.', () => intake.counters.missingBlocks),
    missing_records: gauge('Readings that are missing now.', () => intake.counters.missingRecords),
    covers_total: counter('Claims answered by a cover.', () => downlink.covers),
    failed_slots_total: counter('Slots in which something failed.', () => downlink.failedSlots),
    missed_slots_total: counter('Slots that went by: the host was busy or stood still.', () => downlink.missedSlots),
    stale_senders: gauge('Senders of which nothing came for some slots.', () => silence.stale),
    longest_silence_slots: gauge('Slots without a block of the sender that is silent longest.', () => {
      return silence.longestSlots;
    }),
    senders_backlog_age_seconds: gauge('Age of the oldest reading that waits at a sender, as idle ones say.', () => {
      return silence.backlogAgeMs / 1000;
    }),
    last_exchange_age_seconds: gauge('Seconds since the relay answered a claim, or since the start.', () => {
      return (now() - (downlink.answeredMs ?? startedMs)) / 1000;
    }),
    roster_version: gauge('Version of the roster in force.', rosterVersion),
  };
}
