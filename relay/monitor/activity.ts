/**
 * When each device last did its work, and since when each block is held. Fed by the stream of delivery events, and by
 * claims, since a receiver that gets covers is as alive as one that gets blocks. All ages are of this run of the relay,
 * by its monotonic clock; nothing is decided by them.
 */
import type { DeliveryEvent } from '../store/event.ts';

/** Milliseconds since a device last did something; null when it did not since the relay started. */
export interface Ages {
  /** Since a block of it was accepted. */
  readonly blockMs: number | null;
  /** Since it claimed, whether it got a block or a cover. */
  readonly claimMs: number | null;
  /** Since it first registered in this run. */
  readonly registeredMs: number | null;
}

interface Moments {
  block?: number;
  claim?: number;
  registered?: number;
}

export class Activity {
  readonly #now: () => number;
  /** By DID, of devices that did anything since they belong to the site. */
  readonly #moments = new Map<string, Moments>();
  /** When each held block was accepted, by transfer; the oldest first. */
  readonly #heldSince = new Map<string, number>();

  /** `now` gives monotonic milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A block that an earlier process accepted is held, counted from now. */
  adopted(transferId: string): void {
    this.#heldSince.set(transferId, this.#now());
  }

  /** Something happened to a transfer. */
  delivery({ type, transferId, sender }: DeliveryEvent): void {
    if (type === 'accepted') {
      this.#heldSince.set(transferId, this.#now());
      this.#of(sender).block = this.#now();
    } else if (type === 'burned') {
      this.#heldSince.delete(transferId);
    }
  }

  claimed(did: string): void {
    this.#of(did).claim = this.#now();
  }

  registered(did: string): void {
    this.#of(did).registered ??= this.#now();
  }

  /** Forgets the devices that no longer belong to the site. */
  enforce(belongs: (did: string) => boolean): void {
    for (const did of [...this.#moments.keys()]) if (!belongs(did)) this.#moments.delete(did);
  }

  ages(did: string): Ages {
    const { block, claim, registered } = this.#moments.get(did) ?? {};
    return { blockMs: this.#since(block), claimMs: this.#since(claim), registeredMs: this.#since(registered) };
  }

  /** For how long a registered sender had no block accepted. */
  silentMs(did: string): number {
    const { block, registered } = this.#moments.get(did) ?? {};
    return this.#since(block ?? registered) ?? 0;
  }

  /** For how long the oldest held block is held; null when none is. */
  get oldestBlockMs(): number | null {
    return this.#since(this.#heldSince.values().next().value);
  }

  #of(did: string): Moments {
    const known = this.#moments.get(did) ?? {};
    this.#moments.set(did, known);
    return known;
  }

  #since(moment: number | undefined): number | null {
    return moment === undefined ? null : this.#now() - moment;
  }
}
