/**
 * Which senders this receiver has heard nothing of: a sender says something in every slot, so its silence is
 * information. What was the last word of each, and for how many slots there was none, goes to the sink.
 */
import type { IdleReport } from '../../protocol/payload.ts';
import { STALE_SLOTS } from '../../protocol/slot-plan.ts';
import type { DeviceNote } from './sink.ts';

interface Heard {
  /** Slots of this receiver since a block of the sender came. */
  slots: number;
  report: IdleReport | null;
  /** As the sink was told last. */
  isStale: boolean;
  /** The sink is being told otherwise. */
  isTelling: boolean;
}

export class Silence {
  /** By name in the roster. */
  readonly #senders = new Map<string, Heard>();

  /** A new block of `sender` came; `report` is what an idle one said. */
  heard(sender: string, report: IdleReport | null): void {
    const { isStale = false, isTelling = false } = this.#senders.get(sender) ?? {};
    this.#senders.set(sender, { slots: 0, report, isStale, isTelling });
  }

  /**
   * A slot of this receiver with so many lanes ends. Gives the senders, of those that should be heard, that fell silent or
   * are heard again. Each is not given again before `told` or `notTold` was called for it.
   */
  slot(senders: readonly string[], lanes: number): DeviceNote[] {
    for (const name of this.#senders.keys()) if (!senders.includes(name)) this.#senders.delete(name);
    const turns = Math.max(1, Math.ceil(senders.length / lanes)); // with fewer lanes than senders each has its turn
    return senders.flatMap((sender) => {
      const heard = this.#senders.get(sender) ?? { slots: 0, report: null, isStale: false, isTelling: false };
      this.#senders.set(sender, heard);
      const wasSilent = heard.slots;
      heard.slots += 1;
      const isStale = wasSilent >= STALE_SLOTS * turns;
      if (isStale === heard.isStale || heard.isTelling) return [];
      heard.isTelling = true;
      return [{ sender, state: isStale ? 'stale' : 'live', silentSlots: wasSilent, report: heard.report }];
    });
  }

  /** The note reached the sink. */
  told({ sender, state }: DeviceNote): void {
    const heard = this.#senders.get(sender);
    if (!heard) return;
    heard.isStale = state === 'stale';
    heard.isTelling = false;
  }

  /** The sink did not take the note: it is given again in the next slot. */
  notTold({ sender }: DeviceNote): void {
    const heard = this.#senders.get(sender);
    if (heard) heard.isTelling = false;
  }

  /** How many senders are silent now. */
  get stale(): number {
    return [...this.#senders.values()].filter(({ isStale }) => isStale).length;
  }

  /** The longest silence of a sender now, in slots of this receiver. */
  get longestSlots(): number {
    return Math.max(0, ...[...this.#senders.values()].map(({ slots }) => slots - 1));
  }

  /** The oldest reading that any sender said to have in its backlog, in ms. */
  get backlogAgeMs(): number {
    return Math.max(0, ...[...this.#senders.values()].map(({ report }) => report?.backlogAgeMs ?? 0));
  }
}
