/** One accepted block and what became of it for each of its recipients: plain data, written by deliveries.ts only. */
import type { TransferState } from '../../protocol/control.ts';
import type { RejectCode } from '../../protocol/reject.ts';
import type { Slot } from './block-store.ts';

/** `waiting` and `leased` are open, the others are ends. By their number in a slot file. */
export const VIEW_STATES = ['waiting', 'leased', 'acked', 'rejected', 'expired'] as const;
export type ViewState = (typeof VIEW_STATES)[number];

/** One recipient's side of a transfer. */
export interface View {
  /** DID of the only device that this view is for. */
  readonly recipient: string;
  readonly ackCommit: Uint8Array;
  state: ViewState;
  /** It was leased at least once: from then on it uses up one of the transfer's views and moves to nobody else. */
  taken: boolean;
  /** Session of the newest lease, in hex. */
  session: string;
  /** Monotonic end of the newest lease. */
  leaseEndsMs: number;
  attempts: number;
  rejectCode: RejectCode | null;
}

export interface Transfer {
  /** 16 random bytes in hex. */
  readonly id: string;
  /** DID of the device that submitted the block. */
  readonly sender: string;
  /** SHA-256 of the block in hex. */
  readonly hash: string;
  /** How many recipients may read it. */
  readonly viewLimit: number;
  readonly burnAtClaim: boolean;
  /** Monotonic time of destruction. */
  readonly expiresMs: number;
  readonly views: ReadonlyMap<string, View>;
  /** Where the bytes are; null as soon as it burned. */
  slot: Slot | null;
  /** How it ended, and when; null while held. */
  end: { readonly state: TransferState; readonly atMs: number } | null;
}

/** What the sender is told of its own transfer. */
export interface TransferReport {
  readonly id: string;
  readonly state: TransferState;
  /** Leases given so far, over all views. */
  readonly attempts: number;
  readonly views: readonly {
    readonly recipient: string;
    readonly state: TransferState;
    readonly code?: RejectCode;
  }[];
}

/** A view that nobody read yet. The commitment is copied: the block that it stands in will be overwritten. */
export function newView(recipient: string, ackCommit: Uint8Array): View {
  return {
    recipient,
    ackCommit: new Uint8Array(ackCommit),
    state: 'waiting',
    taken: false,
    session: '',
    leaseEndsMs: 0,
    attempts: 0,
    rejectCode: null,
  };
}

/** Whether a view may still be read. */
export function isOpen(view: View): boolean {
  return view.state === 'waiting' || view.state === 'leased';
}

/** Whether this view may be leased now without going beyond the transfer's views. */
export function mayTake(transfer: Transfer, view: View): boolean {
  if (view.taken || transfer.viewLimit === transfer.views.size) return true;
  return viewsOf(transfer, ({ taken }) => taken) < transfer.viewLimit;
}

/** True when all views that may be used are used, or nobody is left to use one. */
export function isFinished(transfer: Transfer): boolean {
  const ended = viewsOf(transfer, (view) => view.taken && !isOpen(view));
  return ended >= transfer.viewLimit || viewsOf(transfer, isOpen) === 0;
}

/** How a finished transfer ended: delivered when anybody acknowledged, rejected when nobody did but some refused. */
export function outcomeOf(transfer: Transfer): TransferState {
  if (viewsOf(transfer, ({ state }) => state === 'acked') > 0) return 'delivered';
  return viewsOf(transfer, ({ state }) => state === 'rejected') > 0 ? 'rejected' : 'expired';
}

/** A view's state in the words of the wire. */
export function wireState(view: View): TransferState {
  return view.state === 'acked' ? 'delivered' : view.state;
}

export function reportOf(transfer: Transfer): TransferReport {
  const views = [...transfer.views.values()];
  const open = views.some(({ state }) => state === 'leased') ? 'leased' : 'waiting';
  return {
    id: transfer.id,
    state: transfer.end?.state ?? open,
    attempts: views.reduce((sum, { attempts }) => sum + attempts, 0),
    views: views.map((view) => ({
      recipient: view.recipient,
      state: wireState(view),
      ...(view.rejectCode === null ? {} : { code: view.rejectCode }),
    })),
  };
}

function viewsOf(transfer: Transfer, matches: (view: View) => boolean): number {
  let count = 0;
  for (const view of transfer.views.values()) if (matches(view)) count += 1;
  return count;
}
