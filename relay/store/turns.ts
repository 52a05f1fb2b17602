/** Whose turn it is: round-robin over the senders that one reader is served from, so that none starves another. */
import type { Found } from './ledger.ts';

export class Turns {
  /** For each reader, the number of the claim at which each sender was last served. */
  readonly #lastServed = new Map<string, Map<string, number>>();
  #claims = 0;

  /** The view whose sender waits longest for its turn; among the views of one sender, the first given. */
  next(reader: string, waiting: readonly Found[]): Found | undefined {
    const senders = this.#lastServed.get(reader);
    const turnOf = ({ transfer }: Found) => senders?.get(transfer.sender) ?? 0;
    return waiting.toSorted((a, b) => turnOf(a) - turnOf(b))[0]; // the sort is stable
  }

  /** Notes that `reader` was served from `sender`. */
  served(reader: string, sender: string): void {
    const senders = this.#lastServed.get(reader) ?? new Map<string, number>();
    this.#claims += 1;
    this.#lastServed.set(reader, senders.set(sender, this.#claims));
  }
}
