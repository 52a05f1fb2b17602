/**
 * The audit log as the rest of the relay sees it: each thing that happens becomes a record, and who handed in a block
 * gets a log receipt. Refusals are counted and recorded once a minute, so that nobody fills the log by failing.
 */
import { utf8 } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { digestOf } from '../../protocol/identity.ts';
import { blockCommitment, type LogSource } from '../../protocol/log-record.ts';
import { asProblem, PROBLEMS, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { streamId } from '../../protocol/stream.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import type { DeliveryEvent } from '../store/event.ts';
import type { Transfer } from '../store/transfer.ts';
import type { Epochs } from './epochs.ts';
import type { LogView } from './log-view.ts';
import { type Draft, HEAD_MS, type Recorded, type Sequencer } from './sequencer.ts';
import type { Signer } from './signer.ts';
import type { Stick } from './stick.ts';

/** A head covers a record within this. */
const WITHIN_SECONDS = 60;
const MINUTE_MS = 60_000;
const TICK_MS = 250;
/** Most kinds of refusal in one minute; what is beyond them is in the metrics only. */
const MAX_COUNTS = 1024;
/** A head that is later than this shows. */
const LATE_MS = HEAD_MS;

export interface AuditOptions {
  readonly engine: Engine;
  readonly sequencer: Sequencer;
  readonly signer: Signer;
  readonly epochs: Epochs;
  /** Null when the log is kept in memory only. */
  readonly stick: Stick | null;
  /** Name of the relay. */
  readonly name: string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

type Why = 'revoked' | 'shutdown';

/** What a sender and the readers of a held block are given beside it. */
interface Committed {
  readonly recorded: Recorded;
  readonly salt: Uint8Array;
}

interface Count {
  readonly draft: (count: number) => Draft;
  count: number;
}

export class Audit {
  readonly view: LogView;
  readonly #options: AuditOptions;
  readonly #self: LogSource & { readonly k: 'relay' };
  /** By transfer, of blocks that this process accepted and holds. */
  readonly #committed = new Map<string, Committed>();
  #counts = new Map<string, Count>();
  #countedSinceMs: number;
  #why: Why | null = null;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#self = { id: options.name, k: 'relay' };
    this.view = options.sequencer;
    this.#countedSinceMs = options.now();
  }

  /** Adds a record. */
  record(draft: Draft): Recorded {
    return this.#options.sequencer.record(draft);
  }

  /** Adds a record of the relay itself that it did something. */
  did<A extends 'boot' | 'shutdown' | 'transfer.adopted' | 'config.loaded' | 'licence.loaded'>(
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
        this.#committed.delete(x);
        this.#burned(event, transfer);
    }
  }

  /** Refuses `audit-unavailable` while nothing new may be taken in. */
  refuseUnkept(): void {
    if (this.view.mode === 'required-degraded') throw new Problem('audit-unavailable', this.view.alarm!);
  }

  /** Waits until what was recorded so far is as safe as the mode promises, and says how safe that is, for an answer. */
  async settled(): Promise<string> {
    const kept = (await this.#options.stick?.settled()) ?? 'ram';
    const { degradedSince } = this.#options.stick ?? {};
    return kept === 'ram' && degradedSince ? `ram; degraded since ${degradedSince}` : kept;
  }

  /**
   * For the answer to a submit, once its record is as safe as the mode promises: the log receipt and the salt; nothing
   * when there is none, which no sender may need. Refuses as `refuseUnkept`; the block is kept, and asking again helps.
   */
  async receiptOf(transferId: string): Promise<ControlItem[]> {
    await this.settled();
    this.refuseUnkept();
    const committed = this.#committed.get(transferId);
    if (!committed) return [];
    const { engine, signer } = this.#options;
    const { origin, index, leaf, timeMs } = committed.recorded;
    const id = fromHex(transferId, 16);
    const originHash = engine.sha256(utf8(origin));
    const { mode } = this.view;
    const receipt = { originHash, transferId: id, index, leafHash: leaf, timeMs, mode, withinSeconds: WITHIN_SECONDS };
    const bytes = await signer.receipt(origin, receipt).catch((thrown) => void asProblem(thrown));
    return bytes ? [{ type: 'logReceipt', bytes }, ...this.saltOf(transferId)] : [];
  }

  /** For the answer to a claim: the salt of the commitment to the block. An earlier process took its salts with it. */
  saltOf(transferId: string): ControlItem[] {
    const salt = this.#committed.get(transferId)?.salt;
    return salt ? [{ type: 'commitSalt', transferId: fromHex(transferId, 16), salt }] : [];
  }

  /** Counts a refusal by what refused whom. */
  refused(src: LogSource, code: ProblemCode): void {
    const key = `${src.id} ${code}`;
    const known = this.#counts.get(key);
    if (known) known.count += 1;
    else if (this.#counts.size < MAX_COUNTS) this.#counts.set(key, { draft: refusalOf(src, code), count: 1 });
  }

  /** Time passes: heads and counts that are due. Called several times a second. */
  tick(): void {
    const { sequencer, stick, now } = this.#options;
    sequencer.tick();
    stick?.tick();
    if (now() - this.#countedSinceMs >= MINUTE_MS) this.#tellCounts();
  }

  /** What an operator should mend. */
  get notices(): string[] {
    const { sequencer, epochs, stick } = this.#options;
    const alarm = stick?.alarm;
    const unwritten = epochs.newest?.unwritten ?? 0;
    return [
      ...(alarm && this.view.mode === 'best-effort' ? [`audit log: ${alarm}`] : []),
      ...(sequencer.lateMs > LATE_MS ? ['the audit log has had no new head for over a minute'] : []),
      ...(unwritten > 0 ? [`${unwritten} records of the audit log are not in its journal`] : []),
      ...(epochs.isAlarming ? ['the audit log uses over 80 % of audit.ramMiB: the oldest epochs will be dropped'] : []),
    ];
  }

  /** Records that are on no stick although there should be one. */
  get unarchived(): number {
    return this.#options.stick?.unarchived ?? 0;
  }

  /** What the status shows of the log. */
  get facts(): { name: string; value: string }[] {
    const heads = this.view.epochs.flatMap((epoch) => epoch.heads);
    const last = heads.at(-1);
    const signed = last ? `${last.size} records, signed ${new Date(last.seconds * 1000).toISOString()}` : 'none yet';
    const { stick } = this.#options;
    return [
      ...(stick ? [{ name: 'Audit stick', value: `${stick.state}, ${stick.freeMiB} MiB free` }] : []),
      { name: 'Audit log', value: `mode ${this.view.mode}, time not vouched for` },
      { name: 'Newest head', value: signed },
    ];
  }

  /** Ends the log in order, with a last head. */
  async close(): Promise<void> {
    const { sequencer, signer, epochs, stick } = this.#options;
    const ticking = setInterval(() => stick?.tick(), TICK_MS); // nobody else does any more
    this.#tellCounts();
    this.did('shutdown', { reason: 'signal' });
    await sequencer.close();
    await stick?.close();
    clearInterval(ticking);
    await signer.close();
    epochs.close();
  }

  #accepted({ id: x, hash, sender, views, viewLimit }: Transfer): void {
    const { engine } = this.#options;
    const salt = engine.random(32);
    const c = blockCommitment(engine, salt, fromHex(hash, 32));
    const route = toHex(streamId(digestOf(sender), [...views.keys()].map(digestOf)));
    const src = { id: sender, k: 'device' } as const;
    const obj = { c, route, views: viewLimit, x };
    this.#committed.set(x, { recorded: this.record({ act: 'transfer.accepted', obj, res: 'success', src }), salt });
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

  #tellCounts(): void {
    const counts = this.#counts;
    this.#counts = new Map();
    this.#countedSinceMs = this.#options.now();
    for (const { draft, count } of counts.values()) this.record(draft(count));
  }
}

/** The record of so many refusals of one kind. */
function refusalOf(src: LogSource, code: ProblemCode): Count['draft'] {
  const { status } = PROBLEMS[code];
  if (src.k === 'device' && (code === 'quota-exceeded' || code === 'slots-full')) {
    return (count) => ({ act: 'quota.exceeded', obj: { code, count }, res: 'denied', src });
  }
  if (status === 400 || status === 413 || status === 415) {
    return (count) => ({ act: 'request.malformed', obj: { code, count }, res: 'failure', src });
  }
  return (count) => ({ act: 'request.denied', obj: { code, count }, res: 'denied', src });
}
