/**
 * The slab: a fixed number of block slots, allocated once. The only file that allocates blocks.
 *
 * A slot is free, in use, or burning. Burning flips the state at once; the bytes are overwritten as soon as no answer
 * is streaming from them any more, since Node still reads a buffer after `end()` returned.
 */

/** One place for a block. Only `Slab` writes `state` and `pins`; the bytes belong to whoever took the slot. */
export interface Slot {
  readonly bytes: Buffer;
  state: 'free' | 'used' | 'burning';
  pins: number;
}

export class Slab {
  readonly blockBytes: number;
  readonly #slots: readonly Slot[];

  /** Allocates `count` slots of `blockBytes` bytes and touches every page, so that the memory is really there. */
  constructor(count: number, blockBytes: number) {
    this.blockBytes = blockBytes;
    this.#slots = Array.from({ length: count }, () => ({
      bytes: Buffer.allocUnsafeSlow(blockBytes).fill(0),
      state: 'free' as const,
      pins: 0,
    }));
  }

  /** A free slot, now in use and all zero; undefined when there is none. */
  take(): Slot | undefined {
    const slot = this.#slots.find(({ state }) => state === 'free');
    if (slot) slot.state = 'used';
    return slot;
  }

  /** Keeps the bytes of a slot in use readable until the returned function is called (a second call does nothing). */
  pin(slot: Slot): () => void {
    slot.pins += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      slot.pins -= 1;
      this.#wipeUnpinned(slot);
    };
  }

  /** Ends the use of a slot: its bytes are overwritten now, or when the last pin goes. */
  burn(slot: Slot): void {
    slot.state = 'burning';
    this.#wipeUnpinned(slot);
  }

  /** How many slots are in each state. */
  count(): Record<Slot['state'], number> {
    const counts = { free: 0, used: 0, burning: 0 };
    for (const { state } of this.#slots) counts[state] += 1;
    return counts;
  }

  /** The memory of every slot, for tests that look for remains. */
  memory(): readonly Buffer[] {
    return this.#slots.map(({ bytes }) => bytes);
  }

  #wipeUnpinned(slot: Slot): void {
    if (slot.state !== 'burning' || slot.pins > 0) return;
    slot.bytes.fill(0);
    slot.state = 'free';
  }
}
