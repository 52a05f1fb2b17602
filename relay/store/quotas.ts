/** Quotas: how many slots each device and each zone uses, beside how many it may. What one may not use is left for the others. */
import { Problem } from '../../protocol/problem.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { Slot } from './block-store.ts';

export interface QuotaLimits {
  readonly slotsPerSender: number;
  readonly slotsPerZone: Readonly<Record<Zone, number>>;
  /** The device by which the relay tests itself: one slot is kept for it, and it gets no other. */
  readonly self?: string | null;
}

/** Who a slot is counted for. The zone is undefined for what an earlier process took from a device that is gone. */
interface Holder {
  readonly sender: string;
  readonly zone: Zone | undefined;
}

export class Quotas {
  readonly #limits: QuotaLimits;
  /** The one count: a slot that is in use, and for whom. */
  readonly #holders = new Map<Slot, Holder>();

  constructor(limits: QuotaLimits) {
    this.#limits = limits;
  }

  /** Refuses `quota-exceeded` when the device or its zone uses as many slots as it may. */
  refuseBeyond(sender: string, zone: Zone): void {
    let [own, inZone] = [0, 0];
    for (const holder of this.#holders.values()) {
      if (holder.sender === sender) own += 1;
      if (holder.zone === zone) inZone += 1;
    }
    const { slotsPerZone, self } = this.#limits;
    const slotsPerSender = sender === self ? 1 : this.#limits.slotsPerSender;
    if (own >= slotsPerSender) {
      throw new Problem('quota-exceeded', `this device uses ${own} slots, it may use ${slotsPerSender}`);
    }
    if (inZone >= slotsPerZone[zone]) {
      throw new Problem('quota-exceeded', `zone ${zone} uses ${inZone} slots, it may use ${slotsPerZone[zone]}`);
    }
  }

  /** Whether the last free slot is not for `sender`: it is that of the relay's own test, unless that has one. */
  keptFrom(sender: string): boolean {
    const { self = null } = this.#limits;
    if (self === null || sender === self) return false;
    return [...this.#holders.values()].every((holder) => holder.sender !== self);
  }

  /** Counts a slot for a device and its zone, until it is given back. */
  take(slot: Slot, sender: string, zone: Zone | undefined): void {
    this.#holders.set(slot, { sender, zone });
  }

  giveBack(slot: Slot): void {
    this.#holders.delete(slot);
  }
}
