/** The store that a configuration asks for, with what an earlier process left in it. */
import type { StoreConfig } from '../../protocol/config.ts';
import type { BlockStore } from './block-store.ts';
import type { EndedTransfer } from './ended-file.ts';
import { lockFolder, readBootId, requireRamFolder } from './ram-folder.ts';
import { Slab } from './slab.ts';
import { TmpfsStore } from './tmpfs.ts';
import type { Transfer } from './transfer.ts';

export interface OpenStore {
  readonly store: BlockStore;
  /** Held transfers to begin with, oldest first. */
  readonly adopted: readonly Transfer[];
  /** Transfers that ended in earlier processes, the earliest first. */
  readonly ended: readonly EndedTransfer[];
  /** Lasts as long as nothing that was held is lost. */
  readonly epoch: Uint8Array;
  /** Lets go of everything that is open. */
  close(): void;
}

/**
 * Opens the store; `newEpoch`, 16 random bytes, is the epoch unless one goes on. `onFinding` is told of each slot whose content was not simply kept. Refuses what
 * `requireRamFolder` refuses, `store-in-use` and `store-failed`.
 */
export async function openStore(
  config: StoreConfig,
  blockBytes: number,
  newEpoch: Uint8Array,
  onFinding: (finding: { readonly slot: number; readonly fact: string }) => void,
): Promise<OpenStore> {
  const { kind, slots } = config;
  if (kind === 'slab')
    return { store: new Slab(slots, blockBytes), adopted: [], ended: [], epoch: newEpoch, close() {} };
  requireRamFolder(config.path);
  const unlock = lockFolder(config.path);
  try {
    const store = new TmpfsStore({ folder: config.path, slots, blockBytes, bootId: readBootId(), newEpoch, onFinding });
    const close = () => {
      store.close();
      unlock();
    };
    const { adopted, ended, epoch } = store;
    return { store, adopted, ended, epoch, close };
  } catch (thrown) {
    unlock();
    throw thrown;
  }
}
