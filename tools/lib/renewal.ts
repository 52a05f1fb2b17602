/**
 * Keeps a client's standing fresh at fixed times: registers, and learns what is new of roster and keys. Also before
 * the slot after a connection was lost, since the relay may have been started anew, and before each slot while the key
 * of a peer was never seen. No refusal makes it sooner or later.
 */
import type { ControlItem } from '../../protocol/control.ts';
import { asProblem, type Problem } from '../../protocol/problem.ts';
import { MEMBERSHIP_SLOTS } from '../../protocol/slot-plan.ts';
import type { Membership } from './membership.ts';

type RenewedMembership = Pick<Membership, 'renew' | 'isComplete' | 'takeBeside'>;

export class Renewal {
  readonly #membership: RenewedMembership;
  readonly #onProblem: (problem: Problem) => void;
  #isDue = false;
  #running: Promise<void> | null = null;

  constructor(membership: RenewedMembership, onProblem: (problem: Problem) => void) {
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

  /** Takes what an exchange of a slot brought of a newer roster; says what is wrong with it. */
  takeBeside(items: readonly ControlItem[]): void {
    try {
      this.#membership.takeBeside(items);
    } catch (thrown) {
      this.#onProblem(asProblem(thrown));
    }
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
