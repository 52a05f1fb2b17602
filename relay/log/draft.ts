/** A record as it is asked for, and where it stands once the sequencer has written it. */
import type { Action } from '../../protocol/log-action.ts';
import type { LogEvent } from '../../protocol/log-record.ts';

/** What the sequencer knows itself is left out. */
export type Draft = {
  readonly [A in Action]: Pick<Extract<LogEvent, { act: A }>, 'act' | 'obj' | 'res' | 'src'>;
}[Action];

export interface Recorded {
  readonly origin: string;
  readonly index: number;
  /** The bytes of the record. */
  readonly entry: Uint8Array;
  /** Their leaf hash. */
  readonly leaf: Uint8Array;
  /** Wall time of the record in milliseconds. */
  readonly timeMs: number;
}
