/** The state of the audit log in figures, and in words for an operator: one model for /health, status page and metrics. */
import type { AuditMode } from '../../protocol/log-action.ts';
import { HEAD_MS } from './sequencer.ts';

export interface LogState {
  readonly mode: AuditMode;
  /** Leaves of the newest head and when it was signed; null before the first. */
  readonly head: { readonly size: number; readonly seconds: number } | null;
  /** Since the newest head was signed, by the monotonic clock. */
  readonly headAgeMs: number;
  /** Epochs that are kept whole, and their leaves. */
  readonly epochs: number;
  readonly records: number;
  /** Memory that they and their journals take, and may take. */
  readonly bytes: number;
  readonly limitBytes: number;
  /** Whether so much is used that records will be dropped. */
  readonly isFilling: boolean;
  /** Records that a journal should have and does not. */
  readonly unwritten: number;
  /** Epochs that ended since a head was not signed, or wrongly. */
  readonly faults: number;
  /** Log receipts that were not signed when asked for, and those of them that never will be. */
  readonly receiptsFailed: number;
  readonly receiptsLost: number;
  /** Whether a new transfer is refused, since its record would wait for too long. */
  readonly isFull: boolean;
  /** What is wrong with the stick; null when nothing is, or there is none. */
  readonly alarm: string | null;
  /** Records that are on no stick although there should be one. */
  readonly unarchived: number;
  /** State of the stick and its room, in words; null without one. */
  readonly stick: string | null;
}

/** A head that is older than this shows. */
const LATE_MS = 2 * HEAD_MS;
const MIB = 2 ** 20;

/** What an operator should mend. */
export function logNotices(state: LogState): string[] {
  const { mode, alarm, headAgeMs, unwritten, isFilling, faults, receiptsLost, isFull } = state;
  const notices: [boolean, string][] = [
    [alarm !== null && mode === 'best-effort', `audit log: ${alarm}`],
    [headAgeMs > LATE_MS, `the audit log has had no new head for ${Math.floor(headAgeMs / 1000)} s`],
    [faults > 0, `the audit log failed its own check ${faults} times: a new epoch followed each`],
    [receiptsLost > 0, `${receiptsLost} log receipts were never signed`],
    [unwritten > 0, `${unwritten} records of the audit log are not in its journal`],
    [isFilling, 'the audit log uses over 80 % of audit.ramMiB: the oldest epochs will be dropped'],
    [isFull, 'the audit log takes no more records before its next head: new transfers are refused'],
  ];
  return notices.flatMap(([is, notice]) => (is ? [notice] : []));
}

/** What the status shows of the log. */
export function logFacts({
  mode,
  head,
  records,
  epochs,
  bytes,
  limitBytes,
  stick,
}: LogState): { name: string; value: string }[] {
  const signed = head ? `${head.size} records, signed ${new Date(head.seconds * 1000).toISOString()}` : 'none yet';
  const used = `${(bytes / MIB).toFixed(1)} of ${limitBytes / MIB} MiB`;
  return [
    ...(stick === null ? [] : [{ name: 'Audit stick', value: stick }]),
    { name: 'Audit log', value: `mode ${mode}, time not vouched for` },
    { name: 'Newest head', value: signed },
    { name: 'Audit log holds', value: `${records} records in ${epochs} epochs, ${used}` },
  ];
}
