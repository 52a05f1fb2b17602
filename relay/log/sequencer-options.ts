/** What the sequencer is made with. */
import type { Engine } from '../../protocol/engine/engine.ts';
import type { EpochOpening } from '../../protocol/epoch-opening.ts';
import type { AuditMode } from '../../protocol/log-action.ts';
import type { LogEvent } from '../../protocol/log-record.ts';
import type { Archive } from './archive.ts';
import type { Epochs } from './epochs.ts';
import type { Signer } from './signer.ts';

export interface SequencerOptions {
  readonly engine: Engine;
  readonly signer: Signer;
  readonly epochs: Epochs;
  readonly mode: AuditMode;
  /** Where records go beside memory, if anywhere; its mode is the log's. */
  readonly archive?: Archive;
  /** Name of the relay. */
  readonly name: string;
  readonly opening: Pick<EpochOpening, 'boot' | 'config' | 'software' | 'image'>;
  /** Leaves from head to head (quantum.ts); asked anew for each. */
  readonly quantum: () => number;
  /** Monotonic milliseconds, and when the process began by them. */
  readonly now: () => number;
  readonly startedMs: number;
  /** POSIX milliseconds. */
  readonly wall: () => number;
  /** How far to believe it; `none` when it is left out. */
  readonly timeQuality?: () => LogEvent['tq'];
  /** Told of what an operator must know. */
  readonly onFault: (fact: string) => void;
  readonly headMs?: number;
  readonly maxLeaves?: number;
  readonly maxAgeMs?: number;
}
