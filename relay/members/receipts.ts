/**
 * Delivery receipts on their way from receivers to senders: the newest of each (stream, receiver), since they are
 * cumulative. The relay verifies them so that nobody else's words take up the room; senders verify them again.
 */
import type { Engine } from '../../protocol/engine/engine.ts';
import { didOf } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { verifyReceipt } from '../../protocol/receipt.ts';
import { toHex } from '../../protocol/text.ts';
import type { Member } from './registry.ts';
import type { RosterStore } from './roster-store.ts';

/** Most receipts held; the ones longest not renewed go first, and come again with the receiver's next block. */
export const MAX_RECEIPTS = 4096;

/** Most receipts of one receiver for one sender, so that made-up streams push out nothing of others. */
export const RECEIPTS_PER_PAIR = 16;

interface Held {
  readonly sender: string;
  readonly serial: number;
  readonly bytes: Uint8Array;
}

export class Receipts {
  readonly #engine: Engine;
  readonly #roster: RosterStore;
  readonly #most: number;
  /** By stream and receiver; the one longest not renewed first. */
  readonly #held = new Map<string, Held>();
  /** For each sender the keys of its receipts; the one longest not handed out first. */
  readonly #ofSender = new Map<string, Set<string>>();

  /** Holds at most `most` receipts. */
  constructor(engine: Engine, roster: RosterStore, most: number = MAX_RECEIPTS) {
    this.#engine = engine;
    this.#roster = roster;
    this.#most = most;
  }

  /**
   * Takes a receipt that `receiver` handed in. Refuses `receipt-invalid` for one that is not its own or does not
   * verify, and `not-in-roster` for an unknown sender. One that is not newer changes nothing.
   */
  keep(receiver: Member, bytes: Uint8Array): void {
    const receipt = verifyReceipt(this.#engine, bytes, receiver.registration.keys);
    const author = didOf(receipt.receiverDigest);
    if (author !== receiver.device.did) {
      throw new Problem('receipt-invalid', `the receipt is of ${author}, ${receiver.device.did} handed it in`);
    }
    const sender = didOf(receipt.senderDigest);
    if (!this.#roster.member(sender)) throw new Problem('not-in-roster', `the receipt is for ${sender}`);
    const key = `${toHex(receipt.streamId)} ${author}`;
    const before = this.#held.get(key);
    if (before && before.serial >= receipt.serial) return;
    if (before) this.#drop(key, before);
    else this.#makeRoom(sender, author);
    this.#held.set(key, { sender, serial: receipt.serial, bytes: new Uint8Array(bytes) });
    this.#ofSender.set(sender, (this.#ofSender.get(sender) ?? new Set()).add(key));
    const oldest = this.#held.entries().next().value!;
    if (this.#held.size > this.#most) this.#drop(...oldest);
  }

  /** The next `count` receipts of a sender, round-robin; fewer when it has fewer. */
  next(sender: string, count: number): Uint8Array[] {
    const keys = this.#ofSender.get(sender) ?? new Set<string>();
    return [...keys].slice(0, count).map((key) => {
      keys.delete(key);
      keys.add(key);
      return this.#held.get(key)!.bytes;
    });
  }

  /** Lets go of the receipt of this receiver for this sender that was longest not handed out, when there are too many. */
  #makeRoom(sender: string, author: string): void {
    const own = [...(this.#ofSender.get(sender) ?? [])].filter((key) => key.endsWith(` ${author}`));
    if (own.length >= RECEIPTS_PER_PAIR) this.#drop(own[0]!, this.#held.get(own[0]!)!);
  }

  #drop(key: string, { sender }: Held): void {
    this.#held.delete(key);
    const keys = this.#ofSender.get(sender)!;
    keys.delete(key);
    if (keys.size === 0) this.#ofSender.delete(sender);
  }
}
