/**
 * Keeps a client's standing fresh: registers, and fetches roster and peer keys, at fixed times; sooner when a refusal
 * says that the relay may have forgotten this device.
 */
import type { Problem } from '../../protocol/problem.ts';
import type { Membership } from './membership.ts';

const SLOTS_BETWEEN = 40;

export class Renewal {
  readonly #membership: Membership;
  readonly #peers: () => Iterable<string>;
  readonly #onProblem: (problem: Problem) => void;
  #slotsLeft = SLOTS_BETWEEN;

  /** `peers` names the members whose keys the client needs, by the roster of the moment. */
  constructor(membership: Membership, peers: () => Iterable<string>, onProblem: (problem: Problem) => void) {
    this.#membership = membership;
    this.#peers = peers;
    this.#onProblem = onProblem;
  }

  /** To be called once a slot; throws what keeps the device from registering. */
  async slot(): Promise<void> {
    this.#slotsLeft -= 1;
    if (this.#slotsLeft >= 0) return;
    this.#slotsLeft = SLOTS_BETWEEN;
    await this.#membership.renew();
    for (const problem of await this.#membership.refreshPeers(this.#peers())) this.#onProblem(problem);
  }

  /** The next slot renews: something of this device changed. */
  soon(): void {
    this.#slotsLeft = 0;
  }

  /** A refusal was met that renewing may mend: the next slot renews. */
  noteRefusal(problem: Problem): void {
    if (problem.code === 'not-available' || problem.code === 'no-recipient') this.soon();
  }
}
