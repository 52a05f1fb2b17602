/**
 * The sequencer: turns what happened into records, one after the other, and has a head signed every 30 seconds, also
 * when nothing happened. An epoch that ends is followed by the next at once, in the same rhythm. What the signer answers
 * is verified before anybody sees it; when it is wrong, or does not come, nothing more of that epoch is signed, and a new
 * epoch with new keys follows, whose statement covers what was not signed.
 */
import type { EpochEvent } from '../../protocol/epoch.ts';
import type { AuditMode } from '../../protocol/log-action.ts';
import { encodeLogRecord, LOG_NONCE_BYTES, type LogEvent } from '../../protocol/log-record.ts';
import { asProblem } from '../../protocol/problem.ts';
import { toBase64Url, toHex } from '../../protocol/text.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { Draft, Recorded } from './draft.ts';
import type { KeptEpoch } from './kept-epoch.ts';
import { LogTime } from './log-time.ts';
import type { EpochView, LogView, PublishedHead } from './log-view.ts';
import { hasRoom, nextHeadSize } from './quantum.ts';
import type { SequencerOptions } from './sequencer-options.ts';
import { signedHead } from './signed-head.ts';
import type { HeadRequest } from './signer.ts';

export type { SequencerOptions };

/** From head to head. */
export const HEAD_MS = 30_000;
const MAX_LEAVES = 4 * 2 ** 20;
const MAX_AGE_MS = 7 * 86_400_000;

type CloseReason = Extract<LogEvent, { act: 'log.epoch.close' }>['obj']['reason'];

export class Sequencer implements LogView {
  readonly #options: SequencerOptions;
  readonly #headMs: number;
  #time: LogTime;
  #epoch: KeptEpoch;
  #nextHeadMs: number;
  #newestHeadMs: number;
  /** Heads that are being signed. */
  #signing: Promise<void> = Promise.resolve();
  /** Ended epochs whose receipts may still be asked for. */
  #ended: string[] = [];
  /** Whether no head of this epoch is signed any more, because of a fault. */
  #isFaulty = false;
  /** How often there was such a fault. */
  #faults = 0;
  #mayReplaceMs = Number.NEGATIVE_INFINITY;
  #closed = false;

  /** Opens an epoch after the newest that is kept, and asks for its first head. */
  constructor(options: SequencerOptions) {
    const { now, headMs = HEAD_MS } = options;
    this.#options = options;
    this.#headMs = headMs;
    this.#time = this.#newTime();
    this.#epoch = this.#open();
    this.#newestHeadMs = now();
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

  /** Milliseconds since a head was signed. */
  get headAgeMs(): number {
    return this.#options.now() - this.#newestHeadMs;
  }

  /** How often an epoch ended since its head was not signed, or wrongly. */
  get faults(): number {
    return this.#faults;
  }

  /** Whether a record that comes now is in a head within a minute, and does not fill memory meanwhile. */
  get hasRoom(): boolean {
    if (this.#isFaulty && this.#options.epochs.isNewestLarge) return false;
    return hasRoom(this.#epoch.covered, this.#epoch.size, this.#options.quantum());
  }

  /** Adds a record; it is in the journal, if there is one, when this returns. */
  record(draft: Draft): Recorded {
    const recorded = this.#append(draft);
    if (recorded.index % TILE_WIDTH === 0) this.#bound();
    if (this.#epoch.size >= this.#maxLeaves || this.#options.epochs.isNewestLarge) {
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
    const { ended } = this.#options.signer;
    if (ended && !this.#isFaulty) this.#lose(this.#epoch, ended);
    const now = this.#options.now();
    if (now < this.#nextHeadMs) return;
    // Due times that passed meanwhile are gone; the rhythm stays.
    this.#nextHeadMs += this.#headMs * Math.ceil((now - this.#nextHeadMs + 1) / this.#headMs);
    for (const origin of this.#ended.splice(0)) this.#options.signer.end(origin);
    if (this.#isFaulty) void this.#replace();
    else if (this.#isNearlyFull) this.#turn('leaves');
    else this.#askHead(this.#epoch);
  }

  /** Ends the epoch in order; its last head is signed when this resolves. Nothing may be recorded any more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#end(this.#isFaulty ? 'selfcheck' : 'shutdown');
    await this.#signing;
  }

  get #self() {
    return { id: this.#options.name, k: 'relay' } as const;
  }

  get #maxLeaves(): number {
    return this.#options.maxLeaves ?? MAX_LEAVES;
  }

  /** With a quantum an epoch ends at a head, before a record would end it: the time tells nothing either. */
  get #isNearlyFull(): boolean {
    const quantum = this.#options.quantum();
    return quantum > 1 && this.#epoch.covered + 3 * quantum > this.#maxLeaves;
  }

  #append(draft: Draft): Recorded {
    const index = this.#epoch.size;
    const timeMs = this.#time.ms;
    const event = { ...draft, ...this.#common(timeMs), i: index } as LogEvent;
    const transferId = 'x' in draft.obj ? draft.obj.x : undefined;
    try {
      const entry = encodeLogRecord(event);
      const leaf = this.#epoch.append(entry, transferId);
      this.#options.archive?.wake();
      return { origin: this.#epoch.origin, index, leaf, entry, timeMs };
    } catch (thrown) {
      if (asProblem(thrown).code !== 'log-tile-invalid' || this.#closed) throw thrown;
      this.#fault(this.#epoch, thrown);
      this.#follow();
      return this.#append(draft);
    }
  }

  #common(t: number): Pick<LogEvent, 'n' | 't' | 'tq' | 'up'> {
    const { engine, now, startedMs, timeQuality } = this.#options;
    const tq = timeQuality?.() ?? 'none';
    return { n: toBase64Url(engine.random(LOG_NONCE_BYTES)), t, tq, up: Math.floor(now() - startedMs) };
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

  /** Ends the epoch and opens the next, without a record in between. When none can be opened this one goes on. */
  #turn(reason: CloseReason): void {
    if (this.#isFaulty && reason !== 'selfcheck') return; // it is followed by another anyway
    const ending = this.#epoch;
    this.#end(reason);
    try {
      this.#time = this.#newTime();
      this.#epoch = this.#open();
    } catch (thrown) {
      ending.reopen();
      this.#fault(ending, thrown);
      return;
    }
    this.#isFaulty = false;
    this.#bound();
    this.#askHead(this.#epoch);
  }

  #end(reason: CloseReason): void {
    const ending = this.#epoch;
    // A tree that failed its check gets nothing more.
    if (reason !== 'selfcheck') {
      const quantum = this.#options.quantum();
      while (quantum > 1 && !this.#isFaulty && ending.size >= ending.covered + quantum) this.#askHead(ending);
      this.#fill(ending.covered + quantum - 1);
      this.#append({ act: 'log.epoch.close', obj: { reason }, res: 'success', src: this.#self });
      this.#askHead(ending);
    }
    ending.close();
    this.#ended.push(ending.origin);
  }

  /** Adds records that say nothing until the tree has `size` leaves. */
  #fill(size: number): void {
    while (this.#epoch.size < size) this.#append({ act: 'log.fill', obj: {}, res: 'success', src: this.#self });
  }

  /** Keeps within the memory limit, and records what that costs. */
  #bound(): void {
    for (const { origin, basis, below, lostFrom } of this.#options.epochs.bound()) {
      const src = this.#self;
      this.#append({ act: 'prune', obj: { basis, below, origin }, res: 'success', src });
      if (lostFrom === null) continue;
      this.#append({ act: 'log.lost', obj: { from: lostFrom, below, origin }, res: 'failure', src });
    }
  }

  /** Checks the tree as any verifier would, then has its head signed, verifies the answer and publishes it. */
  #askHead(epoch: KeptEpoch): void {
    const size = nextHeadSize(epoch.covered, epoch.size, this.#options.quantum());
    let request: HeadRequest;
    try {
      this.#fill(size);
      request = epoch.nextHead(Math.floor(this.#time.ms / 1000), size);
    } catch (thrown) {
      this.#lose(epoch, thrown);
      return;
    }
    const signed = this.#options.signer
      .head(request)
      .then((checkpoint) => this.#publish(epoch, signedHead(this.#options.engine, epoch.keys, request, checkpoint)))
      .catch((thrown) => this.#lose(epoch, thrown));
    this.#signing = Promise.all([this.#signing, signed]).then(() => {});
  }

  /** Publishes a head once all that it covers, and itself, is where the mode promises it to be. */
  async #publish(epoch: KeptEpoch, head: PublishedHead): Promise<void> {
    const { archive, now } = this.#options;
    epoch.take(head);
    this.#newestHeadMs = now();
    archive?.wake();
    await archive?.settled();
    epoch.publish(head);
  }

  /** A head is not signed: another epoch follows, at most one each 30 seconds. */
  #lose(epoch: KeptEpoch, thrown: unknown): void {
    this.#fault(epoch, thrown);
    if (this.#isFaulty && !this.#closed && this.#options.now() >= this.#mayReplaceMs) void this.#replace();
  }

  /** Nothing more of this epoch is signed. */
  #fault(epoch: KeptEpoch, thrown: unknown): void {
    this.#options.onFault(`a head of the audit log is not signed: ${asProblem(thrown).detail}`);
    if (epoch !== this.#epoch) return;
    if (!this.#isFaulty) this.#faults += 1;
    this.#isFaulty = true;
  }

  /** Has another signer where this one is gone, and goes on with a new epoch; is tried again at the next head. */
  async #replace(): Promise<void> {
    this.#mayReplaceMs = this.#options.now() + this.#headMs;
    try {
      await this.#options.signer.restart();
    } catch (thrown) {
      this.#options.onFault(`the audit log has no signer: ${asProblem(thrown).detail}`);
      return;
    }
    if (!this.#closed && this.#isFaulty) this.#follow();
  }

  /** Opens the epoch after one with a fault, which says so. */
  #follow(): void {
    const { origin, size } = this.#epoch;
    this.#turn('selfcheck');
    if (this.#epoch.origin === origin) return;
    this.#append({ act: 'log.selfcheck.failed', obj: { origin, size }, res: 'failure', src: this.#self });
  }
}
