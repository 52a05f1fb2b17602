/**
 * The audit log as the rest of the relay sees it: each thing that happens becomes a record, and who handed in a block
 * gets a log receipt. What others can cause as often as they like is counted and recorded once a minute.
 */
import { utf8 } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { digestOf } from '../../protocol/identity.ts';
import { blockCommitment, type LogSource } from '../../protocol/log-record.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import type { Roster } from '../../protocol/roster.ts';
import type { Zone } from '../../protocol/shapes.ts';
import { streamId } from '../../protocol/stream.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import type { DeliveryEvent } from '../store/event.ts';
import type { Transfer } from '../store/transfer.ts';
import { Cosignatures, type Cosigned } from './cosignatures.ts';
import { Counts } from './counts.ts';
import type { Draft, Recorded } from './draft.ts';
import type { Epochs } from './epochs.ts';
import { LogReceipts } from './log-receipts.ts';
import type { LogState } from './log-state.ts';
import type { LogView } from './log-view.ts';
import { Presence } from './presence.ts';
import { failedAuthentication, type Probe, probe, refusal } from './refusals.ts';
import type { Sequencer } from './sequencer.ts';
import type { Signer } from './signer.ts';
import type { Stick } from './stick.ts';

const LOOK_MS = 1000;
const TICK_MS = 250;
/** Below so much free memory the host is about to end processes; above twice as much it is well again. */
const LOW_MEMORY_BYTES = 64 * 2 ** 20;
/** Stands for all sources of strangers beyond those that are counted one by one. */
const OTHERS = '0'.repeat(32);

export interface AuditOptions {
  readonly engine: Engine;
  readonly sequencer: Sequencer;
  readonly signer: Signer;
  readonly epochs: Epochs;
  /** Null when the log is kept in memory only. */
  readonly stick: Stick | null;
  /** Name of the relay. */
  readonly name: string;
  /** The device by which the relay tests itself; its records say so. */
  readonly self: string | null;
  /** How many cosigners must hold a record before it may leave memory. */
  readonly pruneQuorum: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Memory that the process may still take. */
  readonly freeBytes: () => number;
  /** Told of what an operator must know. */
  readonly onFault: (fact: string) => void;
}

type Why = 'revoked' | 'shutdown';

export class Audit {
  readonly view: LogView;
  readonly receipts: LogReceipts;
  readonly presence: Presence;
  readonly #options: AuditOptions;
  readonly #self: LogSource & { readonly k: 'relay' };
  readonly #cosignatures: Cosignatures;
  readonly #counts: Counts;
  /** Makes the sources of probes: nobody else can tell the address of one. */
  readonly #salt: Uint8Array;
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isBehind = false;
  #isLow = false;
  #why: Why | null = null;
  #ending: Promise<void> | null = null;

  constructor(options: AuditOptions) {
    const { engine, sequencer, signer, name, now, onFault } = options;
    this.#options = options;
    this.#self = { id: name, k: 'relay' };
    this.#salt = engine.random(32);
    this.view = sequencer;
    this.#cosignatures = new Cosignatures(engine, options.epochs, options.pruneQuorum);
    this.receipts = new LogReceipts({ engine, signer, log: sequencer, onFault });
    this.#counts = new Counts((draft) => this.record(draft), now);
    this.presence = new Presence((draft) => this.record(draft), now);
  }

  /** Adds a record. */
  record(draft: Draft): Recorded {
    const { sequencer, self } = this.#options;
    if (draft.src.id !== self) return sequencer.record(draft);
    return sequencer.record({ ...draft, src: { id: self, k: 'self' } });
  }

  /** Adds a record of the relay itself that it did something. */
  did<A extends 'boot' | 'shutdown' | 'transfer.adopted' | 'config.loaded' | 'import.prev'>(
    act: A,
    obj: Extract<Draft, { act: A }>['obj'],
  ): void {
    this.record({ act, obj, res: 'success', src: this.#self } as Draft);
  }

  /** Does `act`; blocks that it burns were dropped for that reason. */
  because(why: Why, act: () => void): void {
    this.#why = why;
    try {
      act();
    } finally {
      this.#why = null;
    }
  }

  /** Waits until what was recorded so far is as safe as the mode promises, and says how safe that is, for an answer. */
  async settled(): Promise<string> {
    const kept = (await this.#options.stick?.settled()) ?? 'ram';
    const { degradedSince } = this.#options.stick ?? {};
    return kept === 'ram' && degradedSince ? `ram; degraded since ${degradedSince}` : kept;
  }

  /** Stands before a transfer is confirmed: waits, and refuses as `requireRoom`; the block is kept, and asking again helps. */
  async requireKept(): Promise<void> {
    await this.settled();
    this.#requireStick();
  }

  /**
   * Stands before a transfer is taken: refuses `audit-unavailable` while nothing new may be taken in, and `log-full` when
   * its record would be in no head within a minute.
   */
  requireRoom(): void {
    this.#requireStick();
    if (this.#options.sequencer.hasRoom) return;
    throw new Problem('log-full', 'the audit log takes no more records before its next head');
  }

  /** Something happened to a transfer. */
  delivery(event: DeliveryEvent, transfer: Transfer): void {
    const x = event.transferId;
    const reader = { id: event.recipient ?? event.sender, k: 'device' } as const;
    switch (event.type) {
      case 'accepted':
        this.#accepted(transfer);
        break;
      case 'leased': {
        const { attempts: attempt } = transfer.views.get(event.recipient!)!;
        this.record({ act: 'transfer.release', obj: { attempt, x }, res: 'success', src: reader });
        break;
      }
      case 'acked':
        this.record({ act: 'transfer.delivered', obj: { x }, res: 'success', src: reader });
        break;
      case 'rejected':
        this.record({ act: 'transfer.rejected', obj: { code: event.rejectCode!, x }, res: 'failure', src: reader });
        break;
      case 'burned':
        this.receipts.forget(x);
        this.#burned(event, transfer);
    }
  }

  /** Counts what was refused to a device. */
  refused(did: string, code: ProblemCode): void {
    this.#counts.known(refusal({ id: did, k: 'device' }, code));
  }

  /** Counts what was refused to somebody without an identity, for another reason than that. */
  refusedStranger(zone: Zone, code: ProblemCode): void {
    const kind = refusal({ id: zone, k: 'peer' }, code);
    this.#counts.strange(kind, kind);
  }

  /** Counts that somebody did not prove to be who may call: a device where it has no business, or (null) a stranger. */
  authFailed(did: string | null, zone: Zone): void {
    const kind = failedAuthentication(did ? { id: did, k: 'device' } : { id: zone, k: 'peer' }, zone);
    if (did) this.#counts.known(kind);
    else this.#counts.strange(kind, kind);
  }

  /** Counts what a stranger from a source address did at a listener. */
  probed(zone: Zone, kind: Probe, address: string): void {
    const source = toHex(this.#options.engine.sha256(this.#salt, utf8(address)).subarray(0, 16));
    this.#counts.strange(probe(zone, kind, source), probe(zone, kind, OTHERS));
  }

  /** Takes what archive servers vouch for, and records whose word is new; refuses what `Cosignatures.take` refuses. */
  takeCosigned(bytes: Uint8Array, cosigners: Roster['cosigners']): Cosigned {
    const taken = this.#cosignatures.take(bytes, cosigners);
    const { origin, size, news } = taken;
    for (const id of news) {
      this.record({ act: 'audit.cosigned', obj: { origin, size }, res: 'success', src: { id, k: 'cosigner' } });
    }
    return taken;
  }

  /** Time passes: heads and counts that are due. Called several times a second. */
  tick(): void {
    const { sequencer, stick, now } = this.#options;
    sequencer.tick();
    stick?.tick();
    this.#counts.tick();
    if (now() - this.#lookedMs < LOOK_MS) return;
    this.#lookedMs = now();
    this.#look();
  }

  get state(): LogState {
    const { sequencer, epochs, stick } = this.#options;
    const kept = epochs.kept.filter(({ isPruned }) => !isPruned);
    return {
      mode: this.view.mode,
      head: epochs.kept.findLast(({ heads }) => heads.length > 0)?.heads.at(-1) ?? null,
      headAgeMs: sequencer.headAgeMs,
      epochs: kept.length,
      records: kept.reduce((sum, { size }) => sum + size, 0),
      bytes: epochs.bytes,
      limitBytes: epochs.limitBytes,
      isFilling: epochs.isAlarming,
      unwritten: epochs.newest?.unwritten ?? 0,
      faults: sequencer.faults,
      receiptsFailed: this.receipts.failed,
      receiptsLost: this.receipts.lost,
      isFull: !sequencer.hasRoom,
      alarm: sequencer.alarm,
      unarchived: stick?.unarchived ?? 0,
      stick: stick && `${stick.state}, ${stick.freeMiB} MiB free`,
    };
  }

  /** Ends the log in order, with a last head; a second call waits for the first. */
  close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  async #end(): Promise<void> {
    const { sequencer, signer, epochs, stick } = this.#options;
    const ticking = setInterval(() => stick?.tick(), TICK_MS); // nobody else does any more
    this.#counts.tell();
    this.did('shutdown', { reason: 'signal' });
    await sequencer.close();
    await stick?.close();
    clearInterval(ticking);
    await signer.close();
    epochs.close();
  }

  #requireStick(): void {
    if (this.view.mode === 'required-degraded') throw new Problem('audit-unavailable', this.view.alarm!);
  }

  #accepted({ id: x, hash, sender, views, viewLimit }: Transfer): void {
    const { engine } = this.#options;
    const salt = engine.random(32);
    const c = blockCommitment(engine, salt, fromHex(hash, 32));
    const route = toHex(streamId(digestOf(sender), [...views.keys()].map(digestOf)));
    const src = { id: sender, k: 'device' } as const;
    const obj = { c, route, views: viewLimit, x };
    const recorded = this.record({ act: 'transfer.accepted', obj, res: 'success', src });
    this.receipts.keep(x, { sender, recorded, salt });
  }

  #burned({ transferId: x, state, sender }: DeliveryEvent, { views }: Transfer): void {
    if (state === 'deleted') {
      const src = { id: sender, k: 'device' } as const;
      this.record({ act: 'transfer.dropped', obj: { reason: 'sender', x }, res: 'success', src });
    } else if (state === 'expired' && this.#why) {
      this.record({ act: 'transfer.dropped', obj: { reason: this.#why, x }, res: 'success', src: this.#self });
    } else if (state === 'expired') {
      const open = [...views.values()].filter((view) => view.state === 'expired').length;
      this.record({ act: 'transfer.expired', obj: { open, x }, res: 'failure', src: this.#self });
    }
  }

  /** Records once each time that journal or stick falls behind, and that memory runs low. */
  #look(): void {
    const { epochs, stick, freeBytes } = this.#options;
    const unarchived = Math.max(epochs.newest?.unwritten ?? 0, stick?.alarm ? stick.unarchived : 0);
    const common = { res: 'failure', src: this.#self } as const;
    if (unarchived > 0 && !this.#isBehind) this.record({ act: 'log.behind', obj: { unarchived }, ...common });
    this.#isBehind = unarchived > 0;
    const free = freeBytes();
    const isLow = free < (this.#isLow ? 2 : 1) * LOW_MEMORY_BYTES;
    const freeMiB = Math.floor(free / 2 ** 20);
    if (isLow && !this.#isLow) this.record({ act: 'memory.low', obj: { freeMiB }, ...common });
    this.#isLow = isLow;
  }
}
