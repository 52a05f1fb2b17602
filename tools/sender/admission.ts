/** What may come in: takes readings and files into the spool, and says what happens when there is no room. */
import { asProblem, Problem } from '../../protocol/problem.ts';
import { RangeSet } from '../../protocol/ranges.ts';
import type { Outbox } from './outbox.ts';
import type { Spool } from './spool.ts';
import { countOf } from './spool-damage.ts';
import type { FileEntry } from './spool-entry.ts';

/** What happens to a new reading when the spool or its disk is full: the source waits, the oldest go, it is refused. */
export const OVERFLOWS = ['pause', 'drop-oldest', 'refuse'] as const;
export type Overflow = (typeof OVERFLOWS)[number];

/** What waits in memory at most before it is written at once. */
const FLUSH_BYTES = 262_144;

export interface AdmissionOptions {
  readonly spool: Spool;
  readonly overflow: Overflow;
  readonly onProblem: (problem: Problem) => void;
}

export class Admission {
  /** Records taken in, and readings turned away, since the start of this process. */
  readonly counters = { records: 0, turnedAway: 0 };
  readonly #options: AdmissionOptions;
  /** Null until the sender knows for whom records are: they stand in the spool then, where an outbox finds them. */
  #outbox: Outbox | null = null;
  /** Readings that were let go before there was an outbox to count them. */
  #droppedEarly = 0;
  /** Why the spool could not be written; null when it could. */
  #failure: Problem | null = null;

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Hands on what the spool takes, from now on; `outbox` has found there what it took before. */
  deliverTo(outbox: Outbox): void {
    this.#outbox = outbox;
    outbox.counters.dropped += this.#droppedEarly;
    this.#droppedEarly = 0;
  }

  /** Why there is no room; null when there is. */
  get obstacle(): Problem | null {
    if (this.#failure) return this.#failure;
    const { full, limitBytes } = this.#options.spool;
    return full ? new Problem('spool-full', `the spool has reached its limit of ${limitBytes} bytes`) : null;
  }

  /** Whether a source of readings has to wait; says why. */
  get mustWait(): boolean {
    const { overflow, onProblem } = this.#options;
    const obstacle = overflow === 'pause' ? this.obstacle : null;
    if (obstacle) onProblem(obstacle);
    return obstacle !== null;
  }

  /** Takes in a reading, durable after the next `flush`. Without room it does what the policy says; `pause` takes it. */
  addRecord(bytes: Uint8Array, wallTimeMs: number): void {
    const { spool, overflow } = this.#options;
    if (overflow !== 'pause' && this.obstacle && !this.#makeRoom()) {
      this.counters.turnedAway += 1;
      return;
    }
    this.counters.records += 1;
    spool.pending.add({ kind: 'record', wallTimeMs, bytes });
    if (spool.pending.bytes >= FLUSH_BYTES) this.flush();
  }

  /** Takes in a file, durable when it returns. Refuses `spool-failed` and `spool-full`: a file waits where it is. */
  addFile(entry: FileEntry): void {
    this.flush();
    if (this.obstacle) throw this.obstacle;
    const { spool } = this.#options;
    spool.pending.add(entry);
    this.flush();
    if (this.#failure) {
      spool.pending.remove([entry]);
      throw this.#failure;
    }
    this.counters.records += entry.count;
  }

  /** Writes what was taken in. A disk that cannot be written is told of, and tried again with the next call. */
  flush(): void {
    const { spool, onProblem } = this.#options;
    try {
      do for (const placed of spool.flush()) this.#outbox?.add(placed);
      while (spool.pending.count > 0);
      this.#failure = null;
    } catch (thrown) {
      this.#failure = asProblem(thrown);
      onProblem(this.#failure);
    }
  }

  /** Lets go of the oldest readings until there is room; false when that is not the policy or there are none. */
  #makeRoom(): boolean {
    const { spool, overflow, onProblem } = this.#options;
    for (let obstacle = this.obstacle; obstacle; obstacle = this.obstacle) {
      onProblem(obstacle);
      const dropped = overflow === 'drop-oldest' ? this.#dropOldest() : null;
      if (!dropped) return false;
      if (this.#outbox) this.#outbox.drop(dropped);
      else this.#droppedEarly += countOf(dropped);
      if (spool.pending.count > 0) this.flush();
      else this.#failure = null;
    }
    return true;
  }

  #dropOldest(): ReturnType<Spool['dropOldest']> {
    const { spool, onProblem } = this.#options;
    try {
      return spool.dropOldest(this.#outbox?.inFlight ?? new RangeSet());
    } catch (thrown) {
      onProblem(asProblem(thrown));
      return null;
    }
  }
}
