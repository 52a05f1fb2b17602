/** What the receivers of a run say of its records in their signed receipts, and what of them enough have answered. */
import { inAtLeast, type Range, RangeSet } from '../../protocol/ranges.ts';
import type { BlockReject, DeliveryReceipt } from '../../protocol/receipt.ts';
import { toHex } from '../../protocol/text.ts';

/** The records that a receipt speaks of. */
export function toldBy(receipt: DeliveryReceipt): RangeSet {
  return new RangeSet([{ first: 0, count: receipt.nextRecord }, ...receipt.ranges]);
}

/** What a receiver will never take; anything else may reach it in another block. */
export function isForGood({ code }: BlockReject): boolean {
  return code === 'sink-refused' || code === 'unsupported';
}

/** The records of a run that need no receiver any more. */
export interface Answered {
  /** Enough receivers committed them. */
  readonly committed: RangeSet;
  /** Enough receivers answered, but some of them refused for good: no further block will bring more. */
  readonly refused: RangeSet;
}

export class Confirmations {
  readonly #views: number;
  /** By hex of the receiver's digest: what it committed, and that with what it refused. */
  readonly #byReceiver = new Map<string, { readonly committed: RangeSet; readonly answered: RangeSet }>();

  /** `views` receivers are enough. */
  constructor(views: number) {
    this.#views = views;
  }

  /**
   * Notes a receipt, and the records that it refuses for good: of one receiver's refusal the others lose nothing. Gives
   * what is over. Nothing below `lowestOpen` is asked for any more.
   */
  note(receipt: DeliveryReceipt, refused: readonly Range[], lowestOpen: number): Answered {
    const receiver = toHex(receipt.receiverDigest);
    const own = this.#byReceiver.get(receiver) ?? { committed: new RangeSet(), answered: new RangeSet() };
    this.#byReceiver.set(receiver, own);
    for (const { first, count } of toldBy(receipt).ranges()) {
      own.committed.add(first, count);
      own.answered.add(first, count);
    }
    for (const { first, count } of refused) own.answered.add(first, count);
    for (const set of [own.committed, own.answered]) set.add(0, lowestOpen); // so that old holes cost no memory
    const all = [...this.#byReceiver.values()];
    const committed = inAtLeast(
      all.map((each) => each.committed),
      this.#views,
    );
    const over = inAtLeast(
      all.map((each) => each.answered),
      this.#views,
    );
    for (const { first, count } of committed.ranges()) over.remove(first, count);
    return { committed, refused: over };
  }
}
