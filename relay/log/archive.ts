/** What the rest of the log knows of the place that keeps its records beyond the machine's memory: the stick. */
import type { AuditMode } from '../../protocol/log-action.ts';

/** Where a record is when an answer tells of it. */
export type Kept = 'durable' | 'ram';

export interface Archive {
  /** What it promises now. */
  readonly mode: AuditMode;
  /** What is wrong, for those who read the log; null when nothing is. */
  readonly alarm: string | null;
  /** Something was recorded or signed. */
  wake(): void;
  /** Waits, in the mode `required`, until everything that was recorded so far is durable; never for long. */
  settled(): Promise<Kept>;
}
