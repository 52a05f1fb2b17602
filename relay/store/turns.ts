/** Whose turn it is: round-robin over the senders that one reader is served from, so that none starves another. */
import type { Found } from './ledger.ts';

export class Turns {
  /** For each reader, the number of the claim at which each sender was last served. */
  readonly #served = new Map<string, Map<string, number>>();
  #claims = 0;

  /** The view whose sender waits longest for its turn; among the views of one sender, the first given. */
  next(reader: string, waiting: readonly Found[]): Found | undefined {
    const served = this.#served.get(reader);
    const turnOf = ({ transfer }: Found) => served?.get(transfer.sender) ?? 0;
    return waiting.toSorted((a, b) => turnOf(a) - turnOf(b))[0]; // the sort is stable
  }

  /** Notes that `reader` was served from `sender`. */
  take(reader: string, sender: string): void {
    const served = this.#served.get(reader) ?? new Map<string, number>();
    this.#claims += 1;
    this.#served.set(reader, served.set(sender, this.#claims));
  }
}
