/** The figures of a sender: as one plain object, and as its last words. */
import type { Problem } from '../../protocol/problem.ts';
import type { LogReceipts } from '../lib/log-receipts.ts';
import type { Notices } from '../lib/notices.ts';
import type { Admission } from './admission.ts';
import type { OpenFiles } from './open-files.ts';
import type { Outbox } from './outbox.ts';
import type { Sources } from './sources.ts';
import type { Spool } from './spool.ts';
import type { Uplink } from './uplink.ts';

/** The parts of a sender that count something. */
export interface SenderParts {
  readonly spool: Spool;
  readonly files: OpenFiles;
  readonly outbox: Outbox;
  readonly admission: Admission;
  readonly sources: Sources;
  readonly uplink: Uplink;
  readonly logReceipts: LogReceipts;
}

/** All figures of the moment; those of records and blocks count since the start of the process. */
export function figures({ spool, files, outbox, admission, sources, uplink, logReceipts }: SenderParts) {
  return {
    ...admission.counters,
    ...outbox.counters,
    undelivered: outbox.size,
    unwritten: spool.pending.count,
    lost: spool.lost,
    spoolBytes: spool.bytes,
    spoolLimitBytes: spool.limitBytes,
    ...sources.counters,
    ...files.counters,
    ...uplink.counters,
    ...logReceipts.counters,
  };
}

/** Says what is not as it should be, and gives the summary; `ok` when everything taken in was delivered. */
export function summary(parts: SenderParts, notices: Notices, fatal: Problem | undefined) {
  const all = figures(parts);
  const failures = {
    'without a delivery receipt, kept in the spool': all.undelivered - all.unwritten,
    'gone with this process, since the spool could not be written': all.unwritten,
    refused: all.refused,
    'too long': all.tooLong,
    dropped: all.dropped,
    'turned away': all.turnedAway,
    'sent once and not confirmed': all.unconfirmed,
    'lost by damage of the spool': all.lost,
  };
  const records = Object.entries(failures).filter(([, count]) => count > 0);
  if (records.length > 0) notices.say(`records: ${records.map(([what, count]) => `${count} ${what}`).join(', ')}`);
  const files = all.filesFailed + all.filesRefused + all.quarantined;
  if (files > 0) notices.say(`${files} files were not sent`);
  const ok = records.length === 0 && files === 0 && parts.sources.state !== 'failed' && !fatal;
  return { ok, ...(fatal ? { code: fatal.code } : {}), ...all };
}
