/** The slab: slots in the memory of this process, allocated once. What they hold ends with the process. */
import { BlockStore, type Slot } from './block-store.ts';

export class Slab extends BlockStore {
  readonly blockBytes: number;
  protected readonly slots: readonly Slot[];

  /** Allocates `count` slots of `blockBytes` bytes and touches every page, so that the memory is really there. */
  constructor(count: number, blockBytes: number) {
    super();
    this.blockBytes = blockBytes;
    this.slots = Array.from({ length: count }, () => ({
      bytes: Buffer.allocUnsafeSlow(blockBytes).fill(0),
      state: 'free' as const,
      pins: 0,
    }));
  }
}
