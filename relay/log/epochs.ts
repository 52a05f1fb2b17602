/**
 * The epochs that are kept, the open one last, and the bound on the memory that they take together: when it is passed
 * the oldest closed epoch is pruned, its records and its journal with it.
 */

import { parseJson } from '../../protocol/canonical.ts';
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { MAX_EPOCH_RECORD_BYTES } from '../../protocol/log-record.ts';
import { asProblem } from '../../protocol/problem.ts';
import { type WriteAt, writeAt } from '../store/slot-file.ts';
import { Journal, journalNumbers, readJournal, removeJournal } from './journal.ts';
import { KeptEpoch, type KeptEpochOptions } from './kept-epoch.ts';

/** Most epochs that are kept, pruned ones included. */
export const MAX_EPOCHS = 512;
/** Above this part of the limit there is an alarm. */
const ALARM_PART = 0.8;
/** An open epoch with more than this part of the limit ends, so that it can be pruned later. */
const EPOCH_PART = 0.5;

export interface EpochsOptions {
  readonly engine: Engine;
  /** Pin of the log key: journals of another relay are deleted. */
  readonly logPin: string;
  /** Where journals go; null when nothing outlives the process. */
  readonly folder: string | null;
  readonly limitBytes: number;
  /** Told of a journal that is not kept, and of one that cannot be written. */
  readonly onFinding: (fact: string) => void;
  /** Told of each journal of an earlier process once its records are in memory again. */
  readonly onReplay?: (progress: ReplayProgress) => void;
  readonly write?: WriteAt;
}

export interface ReplayProgress {
  /** Which of so many. */
  readonly journal: number;
  readonly journals: number;
  readonly records: number;
  /** Whether its process ended it in order. */
  readonly closed: boolean;
}

export class Epochs {
  readonly #options: EpochsOptions;
  readonly #kept: KeptEpoch[] = [];
  #lastJournal = 0;

  /** Begins with the epochs of earlier processes, all of them closed. */
  constructor(options: EpochsOptions) {
    this.#options = options;
    const { folder } = options;
    const numbers = folder === null ? [] : journalNumbers(folder);
    for (const [i, number] of numbers.entries()) {
      this.#lastJournal = number;
      const epoch = this.#replay(folder!, number);
      if (!epoch) continue;
      const { size: records, endedInOrder: closed } = epoch;
      options.onReplay?.({ journal: i + 1, journals: numbers.length, records, closed });
    }
  }

  get kept(): readonly KeptEpoch[] {
    return this.#kept;
  }

  get newest(): KeptEpoch | undefined {
    return this.#kept.at(-1);
  }

  /** Bytes of memory that all of them take. */
  get bytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get limitBytes(): number {
    return this.#options.limitBytes;
  }

  get isAlarming(): boolean {
    return this.bytes > ALARM_PART * this.#options.limitBytes;
  }

  /** Whether the newest takes so much that a new one has to follow. */
  get isNewestLarge(): boolean {
    return (this.newest?.bytes ?? 0) > EPOCH_PART * this.#options.limitBytes;
  }

  /** Adds an epoch that was opened just now. */
  add(epoch: Pick<KeptEpochOptions, 'origin' | 'statement' | 'keys'>): KeptEpoch {
    const { engine: hasher, logPin, onFinding } = this.#options;
    verifyEpoch(hasher, epoch.statement, logPin); // nobody could verify a head of an epoch without
    let told = '';
    const onJournalFault = (code: string) => {
      if (code !== told) onFinding(`the journal of the audit log cannot be written (${code})`);
      told = code;
    };
    const added = new KeptEpoch({ hasher, ...epoch, journal: this.#newJournal(onJournalFault), onJournalFault });
    this.#kept.push(added);
    return added;
  }

  /** Prunes closed epochs, the oldest first, until the rest is within the limit; gives those that it pruned. */
  bound(): KeptEpoch[] {
    const pruned: KeptEpoch[] = [];
    let excess = this.bytes - this.#options.limitBytes;
    for (const epoch of this.#kept) {
      const isOverMany = this.#kept.length - pruned.length > MAX_EPOCHS;
      if (epoch.isOpen || (excess <= 0 && !isOverMany)) break;
      if (epoch.isPruned) continue;
      excess -= epoch.bytes;
      epoch.prune();
      pruned.push(epoch);
    }
    while (this.#kept.length > MAX_EPOCHS && this.#kept[0]!.isPruned) this.#kept.shift();
    return pruned;
  }

  /** Lets go of the files, which stay. */
  close(): void {
    for (const epoch of this.#kept) epoch.release();
  }

  #newJournal(onFault: (code: string) => void): Journal | null {
    const { folder, engine: hasher, write = writeAt } = this.#options;
    if (folder === null) return null;
    this.#lastJournal += 1;
    try {
      return new Journal({ folder, number: this.#lastJournal, hasher, write });
    } catch (error) {
      onFault((error as NodeJS.ErrnoException).code ?? 'unknown');
      return null;
    }
  }

  /** Keeps the epoch of a journal, or deletes the journal and says why. */
  #replay(folder: string, number: number): KeptEpoch | null {
    try {
      const replayed = replay(this.#options, folder, number);
      if (replayed) this.#kept.push(replayed);
      else removeJournal(folder, number); // its process ended before it had a record
      return replayed;
    } catch (thrown) {
      this.#options.onFinding(`discarded journal ${number} of the audit log: ${asProblem(thrown).detail}`);
      removeJournal(folder, number);
      return null;
    }
  }
}

function replay({ engine, logPin }: EpochsOptions, folder: string, number: number): KeptEpoch | null {
  const { entries, checkpoint, bytes } = readJournal(engine, folder, number);
  const [statement, ...records] = entries;
  if (!statement) return null;
  const { event, keys } = verifyEpoch(engine, statement, logPin);
  const { origin } = event.obj;
  const journal = {
    bytes,
    size: entries.length,
    follow() {},
    head() {},
    close() {},
    remove: () => removeJournal(folder, number),
  };
  const epoch = new KeptEpoch({ hasher: engine, origin, statement, keys, journal, onJournalFault() {} });
  for (const record of records) epoch.append(record, transferIn(record));
  if (checkpoint) {
    const { head, seconds } = verifyCheckpoint(engine, checkpoint, origin, keys);
    epoch.publish({ ...head, seconds, checkpoint });
    epoch.requireHead();
  }
  epoch.close();
  return epoch;
}

/** The transfer that a record is about. */
function transferIn(record: Uint8Array): string | undefined {
  const { obj } = parseJson(record, MAX_EPOCH_RECORD_BYTES) as { readonly obj: { readonly x?: string } };
  return obj.x;
}
