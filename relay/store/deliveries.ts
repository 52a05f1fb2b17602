/**
 * Delivery: lease, ack, burn. The one writer of delivery states, and the only code that burns a block.
 *
 * Every method is synchronous and takes the monotonic time in milliseconds, so that nothing comes between a look and
 * a change. What holds at any time: at most `viewLimit` views of a transfer were ever leased; a leased view never
 * moves to another reader; a burned block's bytes are gone as soon as no answer streams from them.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import type { TransferState } from '../../protocol/control.ts';
import { Problem } from '../../protocol/problem.ts';
import type { RejectCode } from '../../protocol/reject.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { BlockStore, Slot } from './block-store.ts';
import { Due } from './due.ts';
import type { EndedTransfer } from './ended-file.ts';
import { type DeliveryEvent, deliveryEvent } from './event.ts';
import type { Accepted, Lease, Submission } from './handover.ts';
import { type Found, Ledger } from './ledger.ts';
import { type QuotaLimits, Quotas } from './quotas.ts';
import {
  isFinished,
  isOpen,
  mayTake,
  newView,
  outcomeOf,
  reportOf,
  type Transfer,
  type TransferReport,
  type View,
  wireState,
} from './transfer.ts';
import { Turns } from './turns.ts';

export interface DeliveryLimits extends QuotaLimits {
  readonly leaseMs: number;
  readonly leasesPerReader: number;
}

export class Deliveries {
  readonly #store: BlockStore;
  readonly #limits: DeliveryLimits;
  readonly #makeId: () => string;
  readonly #onEvent: (event: DeliveryEvent, transfer: Transfer) => void;
  readonly #ledger = new Ledger();
  readonly #turns = new Turns();
  /** Every slot in use, those still being received included. */
  readonly #quotas: Quotas;
  readonly #due = new Due();
  /** The transfers whose block is held, oldest first: to look at, not to change. */
  readonly held = (): readonly Transfer[] => this.#ledger.held();

  constructor(
    store: BlockStore,
    limits: DeliveryLimits,
    makeId: () => string,
    onEvent: (event: DeliveryEvent, transfer: Transfer) => void,
  ) {
    this.#store = store;
    this.#limits = limits;
    this.#quotas = new Quotas(limits);
    this.#makeId = makeId;
    this.#onEvent = onEvent;
  }

  /**
   * Takes over from earlier processes what had `ended` and what is `held`, each in its order. Leases and views go on,
   * what had finished is burned; of what ended, how it ended is known and no view. `zoneOf` gives the zone of a sender.
   */
  adopt(
    now: number,
    held: readonly Transfer[],
    ended: readonly EndedTransfer[],
    zoneOf: (did: string) => Zone | undefined,
  ): void {
    this.#ledger.recall(ended);
    for (const transfer of held) {
      this.#quotas.take(transfer.slot!, transfer.sender, zoneOf(transfer.sender));
      if (this.#ledger.get(transfer.id)) {
        this.abandon(transfer.slot!); // the crash came between the note of its end and its burning
        continue;
      }
      this.#ledger.add(transfer);
      this.#due.add(transfer);
      if (isFinished(transfer)) this.#burn(now, transfer, outcomeOf(transfer));
    }
    this.settle(now);
  }

  /** A slot to receive a block into; `submit` or `abandon` must follow. Refuses `quota-exceeded`, `slots-full`. */
  admit(now: number, sender: string, zone: Zone): Slot {
    this.settle(now);
    this.#quotas.refuseBeyond(sender, zone);
    const slot = this.#quotas.keptFrom(sender) && this.#store.count().free === 1 ? null : this.#store.take();
    if (!slot) throw new Problem('slots-full', 'every slot holds a block');
    this.#quotas.take(slot, sender, zone);
    return slot;
  }

  /** Gives a slot back whose block was not submitted; what is in it is overwritten. */
  abandon(slot: Slot): void {
    this.#quotas.giveBack(slot);
    this.#store.burn(slot);
  }

  /** The first answer to this block of this sender, if it is still remembered. */
  repeated(now: number, sender: string, hash: string): Accepted | undefined {
    this.settle(now);
    const first = this.#ledger.withContent(sender, hash);
    return first && { transferId: first.id, repeated: true };
  }

  /** Takes responsibility for a block. One that is remembered gets its first answer, and the slot is given back. */
  submit(now: number, submission: Submission): Accepted {
    const { sender, slot, hash } = submission;
    const first = this.repeated(now, sender, hash);
    if (first) {
      this.abandon(slot);
      return first;
    }
    const transfer: Transfer = {
      id: this.#makeId(),
      sender,
      hash,
      viewLimit: submission.views,
      burnAtClaim: submission.burnAtClaim,
      expiresMs: now + submission.ttlMs,
      views: new Map(submission.recipients.map(({ did, ackCommit }) => [did, newView(did, ackCommit)])),
      slot,
      end: null,
    };
    this.#ledger.add(transfer);
    this.#due.add(transfer);
    this.#tell('accepted', transfer);
    return { transferId: transfer.id, repeated: false };
  }

  /**
   * Leases the next block to `reader`: first what another session of it left leased, then round-robin over senders,
   * the oldest of each first. Undefined when nothing waits or the session holds `maxLeases`.
   */
  claim(now: number, reader: string, session: string, maxLeases: number): Lease | undefined {
    this.settle(now);
    const inbox = this.#ledger.inbox(reader);
    if (this.#leasesOf(inbox, session) >= Math.min(maxLeases, this.#limits.leasesPerReader)) return undefined;
    const left = inbox.find(({ view }) => view.state === 'leased' && view.session !== session);
    const next =
      left ??
      this.#turns.next(reader, inbox, ({ transfer, view }) => {
        return view.state === 'waiting' && mayTake(transfer, view);
      });
    return next && this.#lease(now, next.transfer, next.view, session);
  }

  /**
   * Leases the block with that hash to `reader`, or goes on with the lease that it has. Without a session, that of an
   * existing lease goes on. Undefined when there is none for this reader; refuses `quota-exceeded`.
   */
  claimByHash(now: number, reader: string, session: string | null, hash: string): Lease | undefined {
    this.settle(now);
    const inbox = this.#ledger.inbox(reader);
    const found = inbox.find(({ transfer, view }) => transfer.hash === hash && mayTake(transfer, view));
    if (!found) return undefined;
    const { transfer, view } = found;
    if (view.state === 'leased' && (session === null || session === view.session)) {
      return this.#stream(now, transfer, view);
    }
    const own = session ?? view.session;
    const leases = this.#leasesOf(inbox, own);
    if (leases >= this.#limits.leasesPerReader) {
      throw new Problem('quota-exceeded', `this reader holds ${leases} leases, it may hold as many`);
    }
    return this.#lease(now, transfer, view, own);
  }

  /**
   * Ends a view as delivered. `commit` is SHA-256 of the reader's secret: it proves the reading, so a lease that ended
   * meanwhile does no harm. Returns the view's state, `unknown` for what is not this reader's; refuses `ack-invalid`.
   */
  ack(now: number, reader: string, transferId: string, commit: Uint8Array): TransferState {
    this.settle(now);
    const found = this.#ledger.view(reader, transferId);
    if (!found) return 'unknown';
    const { transfer, view } = found;
    if (!isOpen(view)) return wireState(view);
    if (!view.taken || !equalBytes(commit, view.ackCommit)) {
      throw new Problem('ack-invalid', 'the secret does not belong to this view');
    }
    this.#endView(now, transfer, view, 'acked');
    return 'delivered';
  }

  /** Ends a view as rejected, under a live lease only. Returns as `ack` does; refuses `lease-expired`. */
  reject(now: number, reader: string, transferId: string, code: RejectCode): TransferState {
    this.settle(now);
    const found = this.#ledger.view(reader, transferId);
    if (!found) return 'unknown';
    const { transfer, view } = found;
    if (!isOpen(view)) return wireState(view);
    if (view.state !== 'leased') throw new Problem('lease-expired', 'a reject needs a live lease, this view has none');
    view.rejectCode = code;
    this.#endView(now, transfer, view, 'rejected');
    return 'rejected';
  }

  /** What became of a sender's own transfer; undefined for any other. */
  status(now: number, sender: string, transferId: string): TransferReport | undefined {
    this.settle(now);
    const transfer = this.#ledger.get(transferId);
    return transfer?.sender === sender ? reportOf(transfer) : undefined;
  }

  /** Burns a sender's own transfer if it is still held. Returns how it ended; undefined for what is not its own. */
  remove(now: number, sender: string, transferId: string): TransferState | undefined {
    this.settle(now);
    const transfer = this.#ledger.get(transferId);
    if (transfer?.sender !== sender) return undefined;
    if (!transfer.end) this.#burn(now, transfer, 'deleted');
    return transfer.end!.state;
  }

  /** Takes every open view from the readers that may no longer read. */
  dropReaders(now: number, mayRead: (did: string) => boolean): void {
    this.settle(now);
    for (const transfer of this.held()) {
      for (const view of transfer.views.values()) {
        if (isOpen(view) && !mayRead(view.recipient)) this.#endView(now, transfer, view, 'expired');
      }
    }
  }

  /** Burns everything: the relay stops. */
  burnAll(now: number): void {
    for (const transfer of this.held()) this.#burn(now, transfer, 'expired');
  }

  /** Brings states up to `now`: times to live, leases, memory of ended transfers. Each method does it first. */
  settle(now: number): void {
    const expire = (transfer: Transfer) => this.#burn(now, transfer, 'expired');
    this.#due.settle(now, this.held, expire, (transfer, view) => {
      view.state = 'waiting';
      this.#tell('lapsed', transfer, view);
    });
    this.#ledger.forget(now);
  }

  #leasesOf(inbox: readonly Found[], session: string): number {
    return inbox.filter(({ view }) => view.state === 'leased' && view.session === session).length;
  }

  #lease(now: number, transfer: Transfer, view: View, session: string): Lease {
    view.state = 'leased';
    view.taken = true;
    view.session = session;
    view.leaseEndsMs = Math.min(now + this.#limits.leaseMs, transfer.expiresMs);
    view.attempts += 1;
    this.#due.leased(transfer, view);
    this.#turns.served(view.recipient, transfer.sender);
    this.#tell('leased', transfer, view);
    const lease = this.#stream(now, transfer, view);
    if (transfer.burnAtClaim) this.#endView(now, transfer, view, 'acked');
    return lease;
  }

  #stream(now: number, transfer: Transfer, view: View): Lease {
    return {
      transferId: transfer.id,
      hash: transfer.hash,
      attempt: view.attempts,
      leaseMs: Math.floor(view.leaseEndsMs - now),
      bytes: transfer.slot!.bytes,
      release: this.#store.pin(transfer.slot!),
    };
  }

  #endView(now: number, transfer: Transfer, view: View, state: 'acked' | 'rejected' | 'expired'): void {
    view.state = state;
    this.#tell(state, transfer, view);
    if (isFinished(transfer)) this.#burn(now, transfer, outcomeOf(transfer));
  }

  #burn(now: number, transfer: Transfer, state: TransferState): void {
    transfer.end = { state, atMs: now };
    this.#store.remember({ ...transfer, end: transfer.end });
    this.abandon(transfer.slot!);
    transfer.slot = null;
    for (const view of transfer.views.values().filter(isOpen)) {
      view.state = 'expired';
      this.#tell('expired', transfer, view);
    }
    this.#ledger.retire(transfer);
    this.#due.remove(transfer);
    this.#tell('burned', transfer);
  }

  /** Every change of a transfer ends here: recorded first, so that a crash leaves no slot without its record, then kept. */
  #tell(type: DeliveryEvent['type'], transfer: Transfer, view?: View): void {
    this.#onEvent(deliveryEvent(type, transfer, view), transfer);
    if (transfer.slot) this.#store.persist(transfer);
  }
}
