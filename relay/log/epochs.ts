/** The epochs that are kept, the open one last, and the bound on the memory that they take together. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import type { AuditMode } from '../../protocol/log-action.ts';
import { asProblem } from '../../protocol/problem.ts';
import { type WriteAt, writeAt } from '../store/slot-file.ts';
import { EpochTree } from './epoch-tree.ts';
import { Journal, journalNumbers, removeJournal } from './journal.ts';
import { KeptEpoch, type KeptEpochOptions } from './kept-epoch.ts';
import { type Pruned, pruneEpochs } from './prune.ts';
import { replayEpoch } from './replay.ts';

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
  /** In the modes that require it, records that nobody else has never go. */
  readonly mode: AuditMode;
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
  /** What was found of an epoch that is not kept. */
  #before: PreviousEpoch | null = null;

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

  /** Adds an epoch that was opened just now, with the statement as its only record. */
  add(opened: Pick<KeptEpochOptions, 'origin' | 'statement' | 'keys'>): KeptEpoch {
    const { engine: hasher, logPin, onFinding } = this.#options;
    verifyEpoch(hasher, opened.statement, logPin); // nobody could verify a head of an epoch without
    let told = '';
    const onJournalFault = (code: string) => {
      if (code !== told) onFinding(`the journal of the audit log cannot be written (${code})`);
      told = code;
    };
    const journal = this.#newJournal(onJournalFault);
    const tree = new EpochTree(hasher, journal?.bundles ?? null);
    const added = new KeptEpoch({ hasher, ...opened, tree, journal, onJournalFault });
    added.append(opened.statement);
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

  /** Drops what the limit asks for, in the order of prune.ts; gives what it dropped. */
  bound(): Pruned[] {
    const { limitBytes, mode, onFinding } = this.#options;
    const mayLose = mode === 'best-effort' || mode === 'none';
    const onFault = (code: string) => onFinding(`records of the audit log cannot be dropped (${code})`);
    const pruned = pruneEpochs(this.#kept, { limitBytes, maxEpochs: MAX_EPOCHS, mayLose, onFault });
    while (this.#kept.length > MAX_EPOCHS && this.#kept[0]!.isPruned) this.#kept.shift();
    return pruned;
  }

  /** Lets go of the files, which stay. */
  close(): void {
    for (const epoch of this.#kept) epoch.release();
  }

  #newJournal(onFault: (code: string) => void): Journal | null {
    const { folder, write = writeAt } = this.#options;
    if (folder === null) return null;
    this.#lastJournal += 1;
    try {
      return new Journal({ folder, number: this.#lastJournal, write });
    } catch (error) {
      onFault((error as NodeJS.ErrnoException).code ?? 'unknown');
      return null;
    }
  }

  /** Keeps the epoch of a journal, or deletes the journal and says why. */
  #replay(folder: string, number: number): KeptEpoch | null {
    const { engine, logPin, write = writeAt } = this.#options;
    try {
      const replayed = replayEpoch({ engine, logPin, folder, number, write });
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
