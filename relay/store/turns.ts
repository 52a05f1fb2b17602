/** Whose turn it is: round-robin over the senders that one reader is served from, so that none starves another. */
import type { Found } from './ledger.ts';

export class Turns {
  /** For each reader, the number of the claim at which each sender was last served. */
  readonly #lastServed = new Map<string, Map<string, number>>();
  #claims = 0;

  /**
   * The view whose sender waits longest for its turn; among the views of one sender, the first given. Only one that
   * `mayGo`, which is asked as rarely as can be.
   */
  next(reader: string, inbox: readonly Found[], mayGo: (found: Found) => boolean): Found | undefined {
    const senders = this.#lastServed.get(reader);
    const turnOf = ({ transfer }: Found) => senders?.get(transfer.sender) ?? 0;
    let next: Found | undefined;
    for (const found of inbox) {
      if ((!next || turnOf(found) < turnOf(next)) && mayGo(found)) next = found;
    }
    return next;
  }

  /** Notes that `reader` was served from `sender`. */
  served(reader: string, sender: string): void {
    const senders = this.#lastServed.get(reader) ?? new Map<string, number>();
    this.#claims += 1;
    this.#lastServed.set(reader, senders.set(sender, this.#claims));
  }
}
