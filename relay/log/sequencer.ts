/**
 * The sequencer: turns what happened into records, one after the other, and has a head signed every 30 seconds, also
 * when nothing happened. An epoch that ends is followed by the next at once, in the same rhythm.
 */
import type { Engine } from '../../protocol/engine/engine.ts';
import type { EpochEvent } from '../../protocol/epoch.ts';
import type { EpochOpening } from '../../protocol/epoch-opening.ts';
import type { Action, AuditMode } from '../../protocol/log-action.ts';
import { encodeLogRecord, LOG_NONCE_BYTES, type LogEvent } from '../../protocol/log-record.ts';
import { asProblem } from '../../protocol/problem.ts';
import { toBase64Url, toHex } from '../../protocol/text.ts';
import type { Archive } from './archive.ts';
import type { Epochs } from './epochs.ts';
import type { KeptEpoch } from './kept-epoch.ts';
import { LogTime } from './log-time.ts';
import type { EpochView, LogView, PublishedHead } from './log-view.ts';
import type { Signer } from './signer.ts';

/** From head to head. */
export const HEAD_MS = 30_000;
const MAX_LEAVES = 4 * 2 ** 20;
const MAX_AGE_MS = 7 * 86_400_000;

/** A record as it is asked for: what the sequencer knows itself is left out. */
export type Draft = {
  readonly [A in Action]: Pick<Extract<LogEvent, { act: A }>, 'act' | 'obj' | 'res' | 'src'>;
}[Action];

/** Where a record stands. */
export interface Recorded {
  readonly origin: string;
  readonly index: number;
  readonly leaf: Uint8Array;
  /** Wall time of the record in milliseconds. */
  readonly timeMs: number;
}

type CloseReason = Extract<LogEvent, { act: 'log.epoch.close' }>['obj']['reason'];

export interface SequencerOptions {
  readonly engine: Engine;
  readonly signer: Signer;
  readonly epochs: Epochs;
  readonly mode: AuditMode;
  /** Where records go beside memory, if anywhere; its mode is the log's. */
  readonly archive?: Archive;
  /** Name of the relay. */
  readonly name: string;
  readonly opening: Pick<EpochOpening, 'boot' | 'config' | 'software'>;
  /** Monotonic milliseconds, and when the process began by them. */
  readonly now: () => number;
  readonly startedMs: number;
  /** POSIX milliseconds. */
  readonly wall: () => number;
  /** Told of what an operator must know. */
  readonly onFault: (fact: string) => void;
  readonly headMs?: number;
  readonly maxLeaves?: number;
  readonly maxAgeMs?: number;
}

export class Sequencer implements LogView {
  readonly #options: SequencerOptions;
  readonly #headMs: number;
  #time: LogTime;
  #epoch: KeptEpoch;
  #nextHeadMs: number;
  /** Heads that are being signed. */
  #signing: Promise<void> = Promise.resolve();
  #closed = false;

  /** Opens an epoch after the newest that is kept, and asks for its first head. */
  constructor(options: SequencerOptions) {
    const { now, headMs = HEAD_MS } = options;
    this.#options = options;
    this.#headMs = headMs;
    this.#time = this.#newTime();
    this.#epoch = this.#open();
    this.#nextHeadMs = now() + headMs;
    this.#bound();
    this.#askHead(this.#epoch);
  }

  get mode(): AuditMode {
    return this.#options.archive?.mode ?? this.#options.mode;
  }

  get alarm(): string | null {
    return this.#options.archive?.alarm ?? null;
  }

  get epochs(): readonly EpochView[] {
    return this.#options.epochs.kept;
  }

  /** Milliseconds since the newest head was due. */
  get lateMs(): number {
    return Math.max(0, this.#options.now() - this.#nextHeadMs);
  }

  /** Adds a record; it is in the journal, if there is one, when this returns. */
  record(draft: Draft): Recorded {
    const recorded = this.#append(draft);
    if (this.#epoch.size >= (this.#options.maxLeaves ?? MAX_LEAVES) || this.#options.epochs.isNewestLarge) {
      this.#turn('leaves');
    }
    return recorded;
  }

  /** Time passed: signs a head that is due, looks at the clock and at the age of the epoch. Called at least once a second. */
  tick(): void {
    if (this.#closed) return;
    const { stepMs, isFar } = this.#time.look();
    if (stepMs !== null) this.record({ act: 'clock.set', obj: { stepMs }, res: 'success', src: this.#self });
    if (isFar) this.#turn('clock');
    else if (this.#time.ageMs >= (this.#options.maxAgeMs ?? MAX_AGE_MS)) this.#turn('age');
    const now = this.#options.now();
    if (now < this.#nextHeadMs) return;
    // Due times that passed meanwhile are gone; the rhythm stays.
    this.#nextHeadMs += this.#headMs * Math.ceil((now - this.#nextHeadMs + 1) / this.#headMs);
    this.#askHead(this.#epoch);
  }

  /** Ends the epoch in order; its last head is signed when this resolves. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#end('shutdown');
    await this.#signing;
  }

  get #self() {
    return { id: this.#options.name, k: 'relay' } as const;
  }

  #append(draft: Draft): Recorded {
    const index = this.#epoch.size;
    const timeMs = this.#time.ms;
    const event = { ...draft, ...this.#common(timeMs), i: index } as LogEvent;
    const transferId = 'x' in draft.obj ? draft.obj.x : undefined;
    try {
      const leaf = this.#epoch.append(encodeLogRecord(event), transferId);
      this.#options.archive?.wake();
      return { origin: this.#epoch.origin, index, leaf, timeMs };
    } catch (thrown) {
      if (asProblem(thrown).code !== 'log-tile-invalid') throw thrown;
      this.#fail(this.#epoch, thrown);
      return this.#append(draft);
    }
  }

  #common(t: number): Pick<LogEvent, 'n' | 't' | 'tq' | 'up'> {
    const { engine, now, startedMs } = this.#options;
    return { n: toBase64Url(engine.random(LOG_NONCE_BYTES)), t, tq: 'none', up: Math.floor(now() - startedMs) };
  }

  #newTime(): LogTime {
    return new LogTime(this.#options.now, this.#options.wall);
  }

  /** Opens the epoch after the newest one. */
  #open(): KeptEpoch {
    const { engine, signer, epochs, name, opening } = this.#options;
    const origin = `${name}/audit/${toHex(engine.random(16))}`;
    const prev = epochs.previous;
    const event: EpochEvent = { ...this.#common(this.#time.ms), src: this.#self, obj: { ...opening, origin, prev } };
    return epochs.add({ origin, ...signer.open(event) });
  }

  /** Ends the epoch and opens the next, without a record in between. */
  #turn(reason: CloseReason): void {
    this.#end(reason);
    this.#time = this.#newTime();
    this.#epoch = this.#open();
    this.#bound();
    this.#askHead(this.#epoch);
  }

  #end(reason: CloseReason): void {
    const ending = this.#epoch;
    // A tree that failed its check gets nothing more.
    if (reason !== 'selfcheck') {
      this.#append({ act: 'log.epoch.close', obj: { reason }, res: 'success', src: this.#self });
      this.#askHead(ending);
    }
    ending.close();
    this.#options.signer.end(ending.origin);
  }

  /** Keeps within the memory limit, and records what that costs. */
  #bound(): void {
    const { archive, epochs, mode } = this.#options;
    const isSafe = (origin: string): boolean => archive?.has(origin) ?? false;
    for (const { origin, size } of epochs.bound((epoch) => mode !== 'required' || isSafe(epoch.origin))) {
      const common = { src: this.#self } as const;
      const basis = isSafe(origin) ? 'stick' : 'closed';
      this.#append({ ...common, act: 'prune', obj: { basis, below: size, origin }, res: 'success' });
      if (basis === 'stick') continue;
      this.#append({ ...common, act: 'log.lost', obj: { from: 0, below: size, origin }, res: 'failure' });
    }
  }

  /** Checks the tree as any verifier would, then has its head signed and publishes it. */
  #askHead(epoch: KeptEpoch): void {
    let request: ReturnType<KeptEpoch['nextHead']>;
    try {
      request = epoch.nextHead(Math.floor(this.#time.ms / 1000));
    } catch (thrown) {
      this.#fail(epoch, thrown);
      return;
    }
    const { size, root, seconds } = request;
    const signed = this.#options.signer.head(request).then(
      (checkpoint) => this.#take(epoch, { size, root, seconds, checkpoint }),
      (thrown) => {
        if (asProblem(thrown).code === 'proof-invalid') this.#fail(epoch, thrown);
        else this.#options.onFault(`no head of the audit log was signed: ${asProblem(thrown).detail}`);
      },
    );
    this.#signing = Promise.all([this.#signing, signed]).then(() => {});
  }

  /** Publishes a head once all that it covers, and itself, is where the mode promises it to be. */
  async #take(epoch: KeptEpoch, head: PublishedHead): Promise<void> {
    epoch.take(head);
    this.#options.archive?.wake();
    await this.#options.archive?.settled();
    epoch.publish(head);
  }

  /** The tree of an epoch is not what was signed, or recorded: it ends, and the next one says so. */
  #fail(epoch: KeptEpoch, thrown: unknown): void {
    this.#options.onFault(`the audit log failed its own check: ${asProblem(thrown).detail}`);
    if (epoch !== this.#epoch || !epoch.isOpen || this.#closed) return;
    const { origin, size } = epoch;
    this.#turn('selfcheck');
    this.#append({ act: 'log.selfcheck.failed', obj: { origin, size }, res: 'failure', src: this.#self });
  }
}
