/** What the receivers of a run have committed, by their signed receipts, and what of it enough of them have. */
import { inAtLeast, RangeSet } from '../../protocol/ranges.ts';
import type { DeliveryReceipt } from '../../protocol/receipt.ts';
import { toHex } from '../../protocol/text.ts';

/** The records that a receipt speaks of. */
export function toldBy(receipt: DeliveryReceipt): RangeSet {
  return new RangeSet([{ first: 0, count: receipt.nextRecord }, ...receipt.ranges]);
}

export class Confirmations {
  readonly #views: number;
  /** By hex of the receiver's digest. */
  readonly #committed = new Map<string, RangeSet>();

  /** `views` receivers are enough. */
  constructor(views: number) {
    this.#views = views;
  }

  /** Notes a receipt and gives what enough receivers have. Nothing below `lowestOpen` is asked for any more. */
  note(receipt: DeliveryReceipt, lowestOpen: number): RangeSet {
    const receiver = toHex(receipt.receiverDigest);
    const committed = this.#committed.get(receiver) ?? new RangeSet();
    this.#committed.set(receiver, committed);
    for (const { first, count } of toldBy(receipt).ranges()) committed.add(first, count);
    committed.add(0, lowestOpen); // so that old holes cost no memory
    return inAtLeast(this.#committed.values(), this.#views);
  }
}
