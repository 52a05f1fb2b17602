/**
 * Why this process of the relay began, as far as anybody can tell honestly: from what earlier processes left in memory,
 * which no power cut survives, and from how long the machine is up.
 */
import type { EpochOpening } from '../../protocol/epoch-opening.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';

/** A relay that starts later than this after the machine, with nothing left of an earlier one, may be any. */
const AFTER_BOOT_SECONDS = 900;

export interface BootSigns {
  /** Statement of the newest epoch that an earlier process left; null when none did. */
  readonly statement: Uint8Array | null;
  /** Whether an earlier process would have left one. */
  readonly keepsJournal: boolean;
  /** Version of this relay. */
  readonly software: string;
  /** Since the machine started. */
  readonly machineSeconds: number;
}

/** `restart` of the process, `update` when its software was another, `power` at the first start since the machine's. */
export function bootReason({ statement, keepsJournal, software, machineSeconds }: BootSigns): EpochOpening['boot'] {
  if (statement) {
    const before = parseLogRecord(statement);
    return before.act === 'log.epoch.open' && before.obj.software !== software ? 'update' : 'restart';
  }
  return keepsJournal && machineSeconds < AFTER_BOOT_SECONDS ? 'power' : 'unknown';
}
