/**
 * Senders whose keys a receiver does not know yet. The relay takes no block of a device that its roster does not name,
 * so an unknown sender is mostly one that was enrolled since this receiver last learned what is new. Nothing is asked
 * for its sake: its blocks are put off until the next exchange at a fixed time.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import { didOf } from '../../protocol/identity.ts';
import type { Directory } from '../lib/directory.ts';
import type { Membership } from '../lib/membership.ts';

/** Most blocks that are kept meanwhile; the relay gives others again when their leases end. */
const MAX_KEPT = 8;
/** Most senders that are waited for under one version of the roster. */
const MAX_AWAITED = 64;

/** A block that is put off. */
export interface PutOff {
  readonly block: Uint8Array;
  readonly lease: Extract<ControlItem, { type: 'lease' }>;
}

export class Strangers {
  readonly #directory: Directory;
  readonly #membership: Pick<Membership, 'renewals'>;
  /** By DID, how often this receiver had learned what is new when the sender was met, under the roster of `version`. */
  #met = { version: 0, at: new Map<string, number>() };
  #kept: PutOff[] = [];
  /** How often this receiver had learned what is new when the last of them was put off. */
  #keptSince = 0;

  constructor(directory: Directory, membership: Pick<Membership, 'renewals'>) {
    this.#directory = directory;
    this.#membership = membership;
  }

  /** Gives the blocks that can be judged now: all of them, once there was news. */
  takeBack(): PutOff[] {
    return this.#keptSince === this.#membership.renewals ? [] : this.#kept.splice(0);
  }

  /** Whether the block of this lease is put off. */
  holds({ transferId }: PutOff['lease']): boolean {
    return this.#kept.some(({ lease }) => equalBytes(lease.transferId, transferId));
  }

  /**
   * Puts a block of this sender off if news of it may still come; false once they did and it is still unknown. That once
   * for each version of the roster, so that blocks of nobody cost no more than others; for a sender that the roster
   * names always, since many keys take many exchanges.
   */
  putOff(sender: Uint8Array, putOff: PutOff): boolean {
    const { version } = this.#directory.roster;
    if (this.#met.version !== version) this.#met = { version, at: new Map() };
    const { at } = this.#met;
    const { renewals } = this.#membership;
    const did = didOf(sender);
    const metAt = at.get(did);
    if (!this.#isNamed(sender)) {
      if (metAt === undefined ? at.size >= MAX_AWAITED : metAt !== renewals) return false;
      at.set(did, renewals);
    }
    if (this.#kept.length < MAX_KEPT) this.#kept.push(putOff);
    this.#keptSince = renewals;
    return true;
  }

  /** Whether the roster names a sender, so that nothing but its keys is missing. */
  #isNamed(sender: Uint8Array): boolean {
    return this.#directory.member(sender)?.roles.includes('send') ?? false;
  }
}
