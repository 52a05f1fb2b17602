/** The store that a configuration asks for, with what an earlier process left in it. */
import type { StoreConfig } from '../../protocol/config.ts';
import type { BlockStore } from './block-store.ts';
import { lockFolder, readBootId, requireRamFolder } from './ram-folder.ts';
import { Slab } from './slab.ts';
import { TmpfsStore } from './tmpfs.ts';
import type { Transfer } from './transfer.ts';

export interface OpenStore {
  readonly store: BlockStore;
  /** Held transfers to begin with, oldest first. */
  readonly adopted: readonly Transfer[];
  /** Lets go of everything that is open. */
  close(): void;
}

/**
 * Opens the store; `onFinding` is told of each slot whose content was not simply kept. Refuses what
 * `requireRamFolder` refuses, `store-in-use` and `store-failed`.
 */
export async function openStore(
  config: StoreConfig,
  blockBytes: number,
  onFinding: (finding: { readonly slot: number; readonly fact: string }) => void,
): Promise<OpenStore> {
  const { kind, slots } = config;
  if (kind === 'slab') return { store: new Slab(slots, blockBytes), adopted: [], close() {} };
  requireRamFolder(config.path);
  const unlock = await lockFolder(config.path);
  try {
    const store = new TmpfsStore({ folder: config.path, slots, blockBytes, bootId: readBootId(), onFinding });
    const close = () => {
      store.close();
      unlock();
    };
    return { store, adopted: store.adopted, close };
  } catch (thrown) {
    unlock();
    throw thrown;
  }
}
