/** Whether an appliance's test of its own relay passes: what `self` sent went all the way and was acknowledged. */
import type { DeliveryEvent } from '../store/event.ts';

/** Tests come once a minute; so many missed ones are worth a word. */
const LATE_MS = 300_000;

export class SelfTest {
  readonly #did: string;
  readonly #now: () => number;
  #passedMs: number | null = null;

  /** `did` is that of `self`; `now` gives monotonic milliseconds. */
  constructor(did: string, now: () => number) {
    this.#did = did;
    this.#now = now;
  }

  /** Told of everything that happens to a transfer. */
  delivery({ type, sender }: Pick<DeliveryEvent, 'type' | 'sender'>): void {
    if (type === 'acked' && sender === this.#did) this.#passedMs = this.#now();
  }

  /** Why the relay is not ready; null when a test has passed. */
  get reason(): string | null {
    return this.#passedMs === null ? 'no self-test has passed since the start' : null;
  }

  /** What should be looked at; null when the last test is not long ago. */
  get notice(): string | null {
    if (this.#passedMs === null || this.#now() - this.#passedMs < LATE_MS) return null;
    return `the last self-test passed ${Math.floor((this.#now() - this.#passedMs) / 1000)} s ago`;
  }
}
