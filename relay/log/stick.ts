/**
 * The stick: keeps the log beyond the machine's memory, one pass after the other. A pass brings there whatever the
 * epochs have more than the stick; it is a group commit, on which every answer waits that was under way when it began.
 *
 * When the stick fails nobody waits any more, everything goes on in memory, and the mode says so. It is tried again and
 * again; what it missed is brought there before the mode is as it was.
 */
import type { Engine } from '../../protocol/engine/engine.ts';
import type { AuditMode } from '../../protocol/log-action.ts';
import type { Archive, Kept } from './archive.ts';
import type { Draft } from './draft.ts';
import type { Epochs } from './epochs.ts';
import type { KeptEpoch } from './kept-epoch.ts';
import type { Signer } from './signer.ts';
import { type Attached, attach, requireSame, type StickState, stateOf } from './stick-attach.ts';
import type { StickDisk } from './stick-disk.ts';
import { StickEpoch } from './stick-epoch.ts';
import { lastOf } from './stick-reader.ts';
import { recover } from './stick-recovery.ts';
import { StickReport, type StickReportOptions } from './stick-report.ts';

/** From a failure to the next try. */
const RETRY_MS = 2000;
/** How often it is looked whether it is still there. */
const LOOK_MS = 1000;
/** A pass that takes longer is a failure: answers wait for it. */
const STALL_MS = 5000;

export interface StickOptions extends StickReportOptions {
  readonly engine: Engine;
  readonly disk: StickDisk;
  readonly epochs: Epochs;
  readonly signer: Pick<Signer, 'commit'>;
  /** Pin of the log key: a stick with the epochs of another relay is not written. */
  readonly logPin: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class Stick implements Archive {
  readonly #options: StickOptions;
  readonly #report: StickReport;
  readonly #there = new Map<string, StickEpoch>();
  /** Origins of epochs that this process wrote to a stick, whichever it was. */
  readonly #wrote = new Set<string>();
  #state: StickState = 'missing';
  #attached: Attached | null = null;
  /** Whether it was not there when the first epoch was opened. */
  #isLate = false;
  #fault: unknown;
  /** Whether everything was there once since the last failure. */
  #isSynced = false;
  #isDirty = false;
  #busy: Promise<void> | null = null;
  #busySinceMs = 0;
  #retryMs = 0;
  #lookedMs = 0;
  /** Who waits for the pass that is under way, and who for the next one. */
  #served: ((kept: Kept) => void)[] = [];
  #waiting: ((kept: Kept) => void)[] = [];

  constructor(options: StickOptions) {
    this.#options = options;
    this.#report = new StickReport(options);
  }

  get mode(): AuditMode {
    if (!this.#options.isRequired) return 'best-effort';
    return this.#isSynced ? 'required' : 'required-degraded';
  }

  get state(): StickState {
    return this.#state;
  }

  /** Room on it when it was last looked at. */
  get freeMiB(): number {
    return this.#attached?.freeMiB ?? 0;
  }

  /** Records in memory that are not on it. */
  get unarchived(): number {
    const { kept } = this.#options.epochs;
    return kept.reduce((sum, { origin, size, isPruned }) => {
      return isPruned ? sum : sum + size - (this.#there.get(origin)?.size ?? 0);
    }, 0);
  }

  /** Since when it does not do what it should, in words; null while it does. */
  get degradedSince(): string | null {
    return this.#report.degradedSince;
  }

  get alarm(): string | null {
    return this.#report.alarm(this.#state, this.unarchived);
  }

  /** Looks at the stick before the first epoch is opened; null when there is none that may be used. */
  async open(): Promise<Attached | null> {
    try {
      return await this.#attach();
    } catch (thrown) {
      this.#isLate = true;
      this.#state = stateOf(thrown);
      this.#fault = thrown;
      return null;
    }
  }

  /** From now on records can be made: tells what was found, and writes. Resolves after the first pass. */
  async begin(record: (draft: Draft) => void): Promise<void> {
    this.#report.begin(record);
    this.#isDirty = true;
    if (this.#state !== 'ready') {
      this.#report.failed(this.#state, this.#fault, null);
      this.#report.mode(this.mode);
      return;
    }
    this.#report.attached(this.#attached!.id, this.freeMiB);
    await this.#start(() => this.#run());
  }

  wake(): void {
    this.#isDirty = true;
    if (this.#options.isRequired && this.#state === 'ready') void this.#start(() => this.#run());
  }

  settled(): Promise<Kept> {
    if (this.mode !== 'required') return Promise.resolve('ram');
    if (!this.#isDirty && !this.#busy) return Promise.resolve('durable');
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.wake();
    });
  }

  /** Time passes: writes what waits, tries again. Called several times a second. */
  tick(): void {
    const now = this.#options.now();
    if (this.#busy) {
      if (this.#state === 'ready' && now - this.#busySinceMs >= STALL_MS) {
        this.#fail(new Error(`writing took longer than ${STALL_MS / 1000} s`));
      }
    } else if (this.#state !== 'ready') {
      if (now >= this.#retryMs) void this.#start(() => this.#tryAgain());
    } else if (this.#isDirty || now - this.#lookedMs >= LOOK_MS) {
      void this.#start(() => this.#run());
    }
  }

  /** Brings there what is left, and lets go. A stick that hangs must be found by `tick` meanwhile. */
  async close(): Promise<void> {
    while (this.#state === 'ready' && (this.#busy || this.#isDirty)) {
      const work = this.#start(() => this.#run());
      await Promise.race([work, new Promise((resolve) => setTimeout(resolve, STALL_MS).unref())]);
    }
    this.#state = 'missing';
    if (!this.#busy) for (const there of this.#there.values()) await there.close();
  }

  /** Runs one thing at a time. */
  #start(work: () => Promise<void>): Promise<void> {
    if (this.#busy) return this.#busy;
    this.#busySinceMs = this.#options.now();
    this.#busy = Promise.resolve() // so that everything of this turn is in it
      .then(work)
      .catch((thrown) => this.#fail(thrown))
      .finally(() => {
        this.#busy = null;
        if (this.#isDirty) this.wake();
      });
    return this.#busy;
  }

  /** Passes until nothing is left to be done. */
  async #run(): Promise<void> {
    await this.#look();
    while (this.#isDirty && this.#state === 'ready') {
      this.#isDirty = false;
      this.#busySinceMs = this.#options.now();
      this.#served = this.#waiting.splice(0);
      await this.#pass();
      if (this.#state !== 'ready') return; // it took too long, and nobody waits any more
      for (const resolve of this.#served.splice(0)) resolve('durable');
      if (!this.#isSynced) {
        this.#isSynced = true;
        this.#report.ready(this.mode);
      }
      if (await this.#fileOne()) this.#isDirty = true;
    }
  }

  async #look(): Promise<void> {
    const { disk, now } = this.#options;
    if (now() - this.#lookedMs < LOOK_MS) return;
    await requireSame(disk, this.#attached!);
    this.#lookedMs = now();
  }

  async #pass(): Promise<void> {
    for (const epoch of [...this.#options.epochs.kept]) {
      this.#wrote.add(epoch.origin);
      await this.#at(epoch).save();
    }
  }

  /** One bundle of the open epoch: answers wait for no more than that. */
  async #fileOne(): Promise<boolean> {
    const { newest } = this.#options.epochs;
    return newest ? this.#at(newest).file() : false;
  }

  #at(epoch: KeptEpoch): StickEpoch {
    const known = this.#there.get(epoch.origin);
    if (known) return known;
    const { engine, disk, signer, now, onFinding } = this.#options;
    const sign = (below: number, chain: Uint8Array) => signer.commit(epoch.origin, below, chain);
    const random = (length: number) => engine.random(length);
    const there = new StickEpoch({ disk, epoch, hasher: engine, random, sign, now, onFinding });
    this.#there.set(epoch.origin, there);
    return there;
  }

  /** What failed is given up only now, when nothing of it is under way any more. */
  async #tryAgain(): Promise<void> {
    const before = this.#attached?.id;
    const wasMissing = this.#state === 'missing';
    for (const there of this.#there.values()) await there.giveUp();
    const attached = await this.#attach();
    if (wasMissing || attached.id !== before) {
      this.#there.clear();
      this.#report.attached(attached.id, attached.freeMiB);
    }
    if (this.#isLate) await this.#importPrevious(attached);
    this.#isDirty = true;
    await this.#run();
  }

  /** Looks at what is there, and tells what is not as it was left. */
  async #attach(): Promise<Attached> {
    const { engine, disk, logPin, onFinding } = this.#options;
    const attached = await attach(engine, disk, logPin);
    for (const finding of attached.findings) onFinding(finding);
    const stand = new Set(attached.epochs.map(({ event }) => event.obj.origin));
    for (const origin of this.#wrote) {
      if (stand.has(origin)) continue;
      onFinding(`the stick lacks ${origin}, which was written: it is another one, or an old state of it`);
    }
    this.#wrote.clear();
    this.#attached = attached;
    this.#state = 'ready';
    return attached;
  }

  /** The first epoch was opened without knowing of those on the stick: the log says now what was before it. */
  async #importPrevious({ epochs }: Attached): Promise<void> {
    const { engine, disk, onFinding } = this.#options;
    const kept = new Set(this.#options.epochs.kept.map(({ origin }) => origin));
    for (const stored of lastOf(epochs).filter(({ event }) => !kept.has(event.obj.origin))) {
      const { epoch, previous, findings } = await recover(engine, disk, stored);
      for (const fact of findings) onFinding(fact);
      this.#report.imported(previous.origin, previous.tailSize, previous.tailRoot, epoch !== null);
    }
    this.#isLate = false;
  }

  #fail(thrown: unknown): void {
    const wasSynced = this.#isSynced;
    this.#state = stateOf(thrown);
    this.#isSynced = false;
    this.#retryMs = this.#options.now() + RETRY_MS;
    for (const resolve of [...this.#served.splice(0), ...this.#waiting.splice(0)]) resolve('ram');
    this.#report.failed(this.#state, thrown, this.#attached?.id ?? null);
    if (wasSynced) this.#report.mode(this.mode);
  }
}
