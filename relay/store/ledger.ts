/**
 * The ledger of transfers: those whose block is held, and for a while those that ended, so that a repeated submit, a
 * late ack and the sender's question still find an answer. It keeps, and decides nothing.
 */
import { ENDED_ENTRIES, type EndedTransfer } from './ended-file.ts';
import { isOpen, type Transfer, type View } from './transfer.ts';

/** How long an ended transfer is remembered. */
export const TOMBSTONE_MS = 600_000;
/** Most views of the at most `ENDED_ENTRIES` transfers that are remembered, whatever their age: together 40 MiB. */
export const MAX_TOMBSTONE_VIEWS = 65_536;

/** A transfer and one recipient's view of it. */
export interface Found {
  readonly transfer: Transfer;
  readonly view: View;
}

export class Ledger {
  /** Oldest first. */
  readonly #held = new Map<string, Transfer>();
  /** The earliest ended first. */
  readonly #ended = new Map<string, Transfer>();
  #endedViews = 0;
  readonly #byContent = new Map<string, Transfer>();

  add(transfer: Transfer): void {
    this.#held.set(transfer.id, transfer);
    this.#byContent.set(contentKey(transfer.sender, transfer.hash), transfer);
  }

  /** Moves a transfer whose `end` was set from held to ended. */
  retire(transfer: Transfer): void {
    this.#held.delete(transfer.id);
    this.#ended.set(transfer.id, transfer);
    this.#endedViews += transfer.views.size;
  }

  /** Takes in what earlier processes knew to have ended, the earliest first. To be called before anything else. */
  recall(ended: readonly EndedTransfer[]): void {
    for (const each of ended) {
      const transfer = { ...each, viewLimit: 0, burnAtClaim: false, expiresMs: 0, views: new Map(), slot: null };
      this.add(transfer);
      this.retire(transfer);
    }
  }

  /** Forgets what ended too long ago, and the earliest when there is too much. */
  forget(now: number): void {
    for (const transfer of this.#ended.values()) {
      const tooMuch = this.#ended.size > ENDED_ENTRIES || this.#endedViews > MAX_TOMBSTONE_VIEWS;
      if (transfer.end!.atMs + TOMBSTONE_MS > now && !tooMuch) return;
      this.#ended.delete(transfer.id);
      this.#endedViews -= transfer.views.size;
      const key = contentKey(transfer.sender, transfer.hash);
      if (this.#byContent.get(key) === transfer) this.#byContent.delete(key); // else it was handed in again since
    }
  }

  /** A snapshot of the held transfers, oldest first. */
  held(): Transfer[] {
    return [...this.#held.values()];
  }

  /** The transfer with that id, held or ended. */
  get(transferId: string): Transfer | undefined {
    return this.#held.get(transferId) ?? this.#ended.get(transferId);
  }

  /** The transfer of that block by that sender, held or ended. */
  withContent(sender: string, hash: string): Transfer | undefined {
    return this.#byContent.get(contentKey(sender, hash));
  }

  /** A reader's own view of a transfer, held or ended. */
  view(reader: string, transferId: string): Found | undefined {
    const transfer = this.get(transferId);
    const view = transfer?.views.get(reader);
    return transfer && view && { transfer, view };
  }

  /** A reader's open views, the oldest transfer first. */
  inbox(reader: string): Found[] {
    return this.held().flatMap((transfer) => {
      const view = transfer.views.get(reader);
      return view && isOpen(view) ? [{ transfer, view }] : [];
    });
  }
}

function contentKey(sender: string, hash: string): string {
  return `${sender} ${hash}`;
}
