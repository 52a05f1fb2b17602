/**
 * Keeps a client's standing fresh at fixed times: registers, and learns what is new of roster and keys. Also before
 * the slot after a connection was lost, since the relay may have been started anew, and before each slot while the key
 * of a peer was never seen. No refusal makes it sooner or later.
 */
import { asProblem, type Problem } from '../../protocol/problem.ts';
import { MEMBERSHIP_SLOTS } from '../../protocol/slot-plan.ts';
import type { Membership } from './membership.ts';

export class Renewal {
  readonly #membership: Pick<Membership, 'renew' | 'isComplete'>;
  readonly #onProblem: (problem: Problem) => void;
  #isDue = false;
  #running: Promise<void> | null = null;

  constructor(membership: Pick<Membership, 'renew' | 'isComplete'>, onProblem: (problem: Problem) => void) {
    this.#membership = membership;
    this.#onProblem = onProblem;
  }

  /** To be called before each slot; nobody waits for what it does, least of all the slot. */
  before(slot: number): void {
    if (this.#running || !(this.#isDue || slot % MEMBERSHIP_SLOTS === 0 || !this.#membership.isComplete)) return;
    this.#isDue = false;
    this.#running = this.#membership
      .renew()
      .then(({ problems }) => problems.forEach(this.#onProblem))
      .catch((thrown: unknown) => this.#onProblem(asProblem(thrown)))
      .finally(() => {
        this.#running = null;
      });
  }

  /** Before the next slot it renews: the credentials of this device changed. */
  soon(): void {
    this.#isDue = true;
  }

  /** An exchange failed: when its connection is gone, the next one begins like the first. */
  noteFailure({ code }: Problem): void {
    if (code === 'relay-unreachable') this.#isDue = true;
  }
}
