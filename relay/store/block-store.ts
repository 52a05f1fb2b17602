/**
 * Where blocks are kept: a fixed number of slots, made once. The delivery states take, pin and burn them and know no
 * more; the slab (memory of this process) and the tmpfs store (memory that outlives it) differ below this file.
 *
 * A slot is free, in use, or burning. Burning flips the state at once; the bytes are overwritten as soon as no answer
 * is streaming from them any more, since Node still reads a buffer after `end()` returned.
 */
import type { EndedTransfer } from './ended-file.ts';
import type { Transfer } from './transfer.ts';

/** The bytes of one block; a `Buffer` is one. Nothing is read or written beyond `length`. */
export interface BlockBytes {
  readonly length: number;
  /** Writes `bytes` from offset `at` on. */
  set(bytes: Uint8Array, at: number): void;
  /** The bytes from `start` to before `end`: to be read only, and only while the slot is in use or pinned. */
  subarray(start: number, end: number): Uint8Array;
  /** Overwrites every byte. */
  fill(value: number): void;
}

/** One place for a block. Only `BlockStore` writes `state` and `pins`; the bytes belong to whoever took the slot. */
export interface Slot {
  readonly bytes: BlockBytes;
  state: 'free' | 'used' | 'burning';
  pins: number;
}

export abstract class BlockStore {
  abstract readonly blockBytes: number;
  protected abstract readonly slots: readonly Slot[];

  /** A free slot, now in use and all zero; undefined when there is none. */
  take(): Slot | undefined {
    const slot = this.slots.find(({ state }) => state === 'free');
    if (slot) this.#move(slot, 'used');
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
    this.#move(slot, 'burning');
    this.#wipeUnpinned(slot);
  }

  /** How many slots are in each state. */
  count(): Record<Slot['state'], number> {
    const counts = { free: 0, used: 0, burning: 0 };
    for (const { state } of this.slots) counts[state] += 1;
    return counts;
  }

  /** What is in every slot, for tests that look for remains. */
  memory(): readonly Uint8Array[] {
    return this.slots.map(({ bytes }) => bytes.subarray(0, bytes.length));
  }

  /** Whether blocks outlive the process: then a relay that stops leaves them to the next one. */
  get outlivesProcess(): boolean {
    return false;
  }

  /** Keeps a held transfer as it is now. Called after each change, before any answer tells of it. */
  persist(_transfer: Transfer): void {}

  /** Keeps that a transfer ended, and how. Called before its slot burns. */
  remember(_transfer: EndedTransfer): void {}

  /** Told of each state that a slot enters: before its bytes are used, and after they were overwritten. */
  protected entered(_slot: Slot): void {}

  #move(slot: Slot, state: Slot['state']): void {
    slot.state = state;
    this.entered(slot);
  }

  #wipeUnpinned(slot: Slot): void {
    if (slot.state !== 'burning' || slot.pins > 0) return;
    slot.bytes.fill(0);
    this.#move(slot, 'free');
  }
}
