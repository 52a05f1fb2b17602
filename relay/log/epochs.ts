/**
 * The epochs that are kept, the open one last, and the bound on the memory that they take together: when it is passed
 * the oldest closed epoch is pruned, its records and its journal with it.
 */

import { parseJson } from '../../protocol/canonical.ts';
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
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
  readonly write?: WriteAt;
}

export class Epochs {
  readonly #options: EpochsOptions;
  readonly #kept: KeptEpoch[] = [];
  #lastJournal = 0;
  /** What was found of an epoch that is not kept. */
  #before: PreviousEpoch | null = null;

  /** Begins with the epochs of earlier processes, all of them closed. */
  constructor(options: EpochsOptions) {
    this.#options = options;
    const { folder } = options;
    for (const number of folder === null ? [] : journalNumbers(folder)) {
      this.#lastJournal = number;
      this.#replay(folder!, number);
    }
  }

  get kept(): readonly KeptEpoch[] {
    return this.#kept;
  }

  /** What the next epoch says of the one before. */
  get previous(): PreviousEpoch {
    return this.#before ?? this.newest?.asPrevious() ?? { source: 'none' };
  }

  get newest(): KeptEpoch | undefined {
    return this.#kept.at(-1);
  }

  /** Bytes of memory that all of them take. */
  get bytes(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0);
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
    const { engine: hasher, onFinding } = this.#options;
    let told = '';
    const onJournalFault = (code: string) => {
      if (code !== told) onFinding(`the journal of the audit log cannot be written (${code})`);
      told = code;
    };
    const added = new KeptEpoch({ hasher, ...epoch, journal: this.#newJournal(onJournalFault), onJournalFault });
    this.#kept.push(added);
    this.#before = null;
    return added;
  }

  /**
   * Takes what a stick had, the oldest first: epochs that were before all those that are kept. `before` is said of the
   * last one instead of what the newest says of itself: it may be damaged and not among them.
   */
  recall(epochs: readonly KeptEpoch[], before: PreviousEpoch | null): void {
    const known = new Set(this.#kept.map(({ origin }) => origin));
    this.#kept.unshift(...epochs.filter(({ origin }) => !known.has(origin)));
    this.#before = before;
  }

  /** Prunes closed epochs that may be, the oldest first, until the rest is within the limit; gives those that it pruned. */
  bound(mayPrune: (epoch: KeptEpoch) => boolean): KeptEpoch[] {
    const pruned: KeptEpoch[] = [];
    let excess = this.bytes - this.#options.limitBytes;
    for (const epoch of this.#kept) {
      const isOverMany = this.#kept.length - pruned.length > MAX_EPOCHS;
      if (epoch.isOpen || (excess <= 0 && !isOverMany)) break;
      if (epoch.isPruned || !mayPrune(epoch)) continue;
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
  #replay(folder: string, number: number): void {
    try {
      const replayed = replay(this.#options, folder, number);
      if (replayed) this.#kept.push(replayed);
      else removeJournal(folder, number); // its process ended before it had a record
    } catch (thrown) {
      this.#options.onFinding(`discarded journal ${number} of the audit log: ${asProblem(thrown).detail}`);
      removeJournal(folder, number);
    }
  }
}

function replay({ engine, logPin }: EpochsOptions, folder: string, number: number): KeptEpoch | null {
  const { entries, checkpoint, bytes } = readJournal(engine, folder, number);
  const [statement] = entries;
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
  return replayedEpoch(engine, { entries, origin, keys, checkpoint, journal, source: 'tmpfs' });
}

export interface Replayed extends Pick<KeptEpochOptions, 'origin' | 'keys'> {
  /** The statement first. */
  readonly entries: readonly Uint8Array[];
  /** The newest head, if one was signed. */
  readonly checkpoint: Uint8Array | null;
  readonly journal?: KeptEpochOptions['journal'];
  readonly source: 'tmpfs' | 'stick';
}

/** An epoch of an earlier process, closed; refuses what is not the tree of its head. */
export function replayedEpoch(engine: Engine, replayed: Replayed): KeptEpoch {
  const { entries, origin, keys, checkpoint, journal = null, source } = replayed;
  const [statement, ...records] = entries as [Uint8Array, ...Uint8Array[]];
  const epoch = new KeptEpoch({ hasher: engine, origin, statement, keys, journal, onJournalFault() {}, source });
  for (const record of records) epoch.append(record, transferIn(record));
  if (checkpoint) {
    const { head, seconds } = verifyCheckpoint(engine, checkpoint, origin, keys);
    epoch.take({ ...head, seconds, checkpoint });
    epoch.publish(epoch.signed!);
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
