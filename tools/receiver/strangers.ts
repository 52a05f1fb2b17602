/**
 * Senders whose keys a receiver does not know yet. The relay takes no block of a device that its roster does not name,
 * so an unknown sender is mostly one that was enrolled since this receiver last learned what is new. Nothing is asked
 * for its sake: its block is given again after the next exchange at a fixed time.
 */
import { didOf } from '../../protocol/identity.ts';
import type { Directory } from '../lib/directory.ts';
import type { Membership } from '../lib/membership.ts';

/** Most senders that are waited for under one version of the roster. */
const MAX_AWAITED = 64;

export class Strangers {
  readonly #directory: Directory;
  readonly #membership: Pick<Membership, 'renewals'>;
  /** By DID, how often this receiver had learned what is new when the sender was met, under the roster of `version`. */
  #met = { version: 0, at: new Map<string, number>() };
  #waitingSince: number | undefined;

  constructor(directory: Directory, membership: Pick<Membership, 'renewals'>) {
    this.#directory = directory;
    this.#membership = membership;
  }

  /** Whether there was news since a sender was waited for; says so once. */
  get haveNews(): boolean {
    const since = this.#waitingSince;
    if (since === undefined || since === this.#membership.renewals) return false;
    this.#waitingSince = undefined;
    return true;
  }

  /**
   * Whether news of this sender may still come: false once they did and it is still unknown. That once for each version
   * of the roster, so that blocks of nobody cost no more than others.
   */
  mayBecomeKnown(sender: Uint8Array): boolean {
    const { version } = this.#directory.roster;
    if (this.#met.version !== version) this.#met = { version, at: new Map() };
    const { at } = this.#met;
    const { renewals } = this.#membership;
    const did = didOf(sender);
    const metAt = at.get(did);
    if (metAt === undefined ? at.size >= MAX_AWAITED : metAt !== renewals) return false;
    at.set(did, renewals);
    this.#waitingSince = renewals;
    return true;
  }
}
