/** What is due when: times to live and leases of held transfers. It keeps the next time, so that most looks cost nothing. */
import type { Transfer, View } from './transfer.ts';

export class Due {
  /** Nothing that was added is due before. */
  #nextMs = Number.POSITIVE_INFINITY;
  /** Every transfer with a live lease, and some whose lease has just ended. */
  readonly #leased = new Set<Transfer>();

  /** Notes a transfer that is held from now on, with the leases that it has. */
  add(transfer: Transfer): void {
    this.#by(transfer.expiresMs);
    for (const view of transfer.views.values()) if (view.state === 'leased') this.leased(transfer, view);
  }

  /** Notes a lease. */
  leased(transfer: Transfer, view: View): void {
    this.#leased.add(transfer);
    this.#by(view.leaseEndsMs);
  }

  /** Forgets a transfer that is held no more. */
  remove(transfer: Transfer): void {
    this.#leased.delete(transfer);
  }

  /** Calls `expire` and `lapse` for what is due at `now`, among the `held` transfers; they change it. */
  settle(
    now: number,
    held: () => readonly Transfer[],
    expire: (transfer: Transfer) => void,
    lapse: (transfer: Transfer, view: View) => void,
  ): void {
    if (now < this.#nextMs) return;
    this.#nextMs = Number.POSITIVE_INFINITY;
    for (const transfer of held()) {
      if (transfer.expiresMs <= now) expire(transfer);
      else this.#by(transfer.expiresMs);
    }
    for (const transfer of [...this.#leased]) {
      this.#leased.delete(transfer);
      for (const view of transfer.views.values()) {
        if (view.state !== 'leased') continue;
        if (view.leaseEndsMs <= now) lapse(transfer, view);
        else this.leased(transfer, view);
      }
    }
  }

  #by(ms: number): void {
    this.#nextMs = Math.min(this.#nextMs, ms);
  }
}
