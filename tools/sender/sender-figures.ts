/** The figures of a sender: what its metrics show. */
import type { Figure, Figures } from '../lib/client-metrics.ts';
import type { SenderParts } from './report.ts';

export interface FigureSources {
  /** Undefined until the sender has joined its site; every figure is 0 then. */
  readonly parts: () => SenderParts | undefined;
  readonly rosterVersion: () => number;
  /** Wall time in ms, for the age of readings. */
  readonly wallMs: () => number;
  /** Monotonic ms. */
  readonly now: () => number;
}

/** Figures of the sender that these parts make up. */
export function senderFigures({ parts, rosterVersion, wallMs, now }: FigureSources): Figures {
  const startedMs = now();
  const of = (kind: Figure['kind'], help: string, read: (parts: SenderParts) => number): Figure => ({
    kind,
    help,
    read: () => {
      const made = parts();
      return made ? read(made) : 0;
    },
  });
  return {
    blocks_total: of('counter', 'Blocks that the relay took.', ({ uplink }) => uplink.counters.blocks),
    idle_blocks_total: of(
      'counter',
      'Blocks of these that carried nothing.',
      ({ uplink }) => uplink.counters.idleBlocks,
    ),
    failed_slots_total: of(
      'counter',
      'Slots in which no block was taken.',
      ({ uplink }) => uplink.counters.failedSlots,
    ),
    missed_slots_total: of('counter', 'Slots that went by: the host was busy or stood still.', ({ uplink }) => {
      return uplink.counters.missedSlots;
    }),
    receipts_total: of('counter', 'Delivery receipts that verified.', ({ uplink }) => uplink.counters.receipts),
    receipts_refused_total: of('counter', 'Delivery receipts that did not.', ({ uplink }) => {
      return uplink.counters.receiptsRefused;
    }),
    log_receipts_total: of('counter', 'Log receipts that verified.', ({ logReceipts }) => {
      return logReceipts.counters.logReceipts;
    }),
    log_receipts_missing_total: of('counter', 'Blocks taken without a log receipt.', ({ logReceipts }) => {
      return logReceipts.counters.logReceiptsMissing;
    }),
    log_receipts_refused_total: of('counter', 'Log receipts that did not verify.', ({ logReceipts }) => {
      return logReceipts.counters.logReceiptsRefused;
    }),
    log_receipts_proved_total: of('counter', 'Log receipts that a signed head kept.', ({ logReceipts }) => {
      return logReceipts.counters.logReceiptsProved;
    }),
    log_receipts_unproved_total: of('counter', 'Log receipts that no head kept in time.', ({ logReceipts }) => {
      return logReceipts.counters.logReceiptsUnproved;
    }),
    log_receipts_contradicted_total: of('counter', 'Log receipts that a signed head contradicts.', (made) => {
      return made.logReceipts.counters.logReceiptsContradicted;
    }),
    records_total: of('counter', 'Records taken in.', ({ admission }) => admission.counters.records),
    turned_away_total: of('counter', 'Readings not taken: the spool was full.', ({ admission }) => {
      return admission.counters.turnedAway;
    }),
    delivered_total: of('counter', 'Records that receivers confirmed.', ({ outbox }) => outbox.counters.delivered),
    refused_total: of('counter', 'Records that a receiver refused for good.', ({ outbox }) => outbox.counters.refused),
    dropped_total: of(
      'counter',
      'Records dropped unsent: the spool was full.',
      ({ outbox }) => outbox.counters.dropped,
    ),
    files_delivered_total: of(
      'counter',
      'Files that receivers confirmed.',
      ({ files }) => files.counters.filesDelivered,
    ),
    files_failed_total: of(
      'counter',
      'Files that could not be sent further.',
      ({ files }) => files.counters.filesFailed,
    ),
    lost_records_total: of('counter', 'Records lost by damage of the spool.', ({ spool }) => spool.lost),
    backlog_records: of('gauge', 'Records not confirmed yet.', ({ outbox }) => outbox.size),
    backlog_age_seconds: of('gauge', 'Age of the oldest reading not confirmed yet.', ({ outbox }) => {
      const { oldestMs } = outbox;
      return oldestMs === null ? 0 : Math.max(0, wallMs() - oldestMs) / 1000;
    }),
    spool_bytes: of('gauge', 'Bytes of the spool on disk.', ({ spool }) => spool.bytes),
    spool_limit_bytes: of('gauge', 'Bytes at which the spool is full.', ({ spool }) => spool.limitBytes),
    last_exchange_age_seconds: {
      kind: 'gauge',
      help: 'Seconds since the relay took a block, or since the start.',
      read: () => (now() - (parts()?.uplink.answeredMs ?? startedMs)) / 1000,
    },
    roster_version: { kind: 'gauge', help: 'Version of the roster in force.', read: rosterVersion },
  };
}
