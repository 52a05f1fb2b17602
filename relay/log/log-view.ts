/**
 * What may be read of the audit log: the one interface between its keeper (the sequencer and its epochs) and everything
 * that serves it. All of it is in memory and answers at once; nothing here changes the log.
 */
import type { AuditMode } from '../../protocol/log-action.ts';
import type { Tile } from '../../protocol/tile.ts';

/** A signed tree head as it was published. */
export interface PublishedHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** POSIX seconds that the signatures carry. */
  readonly seconds: number;
  /** The whole note with its three signature lines. */
  readonly checkpoint: Uint8Array;
}

/** How an epoch ended; leaves beyond the newest head are proved by the statement of the epoch after it. */
export interface Tail {
  readonly size: number;
  readonly root: Uint8Array;
}

/** One epoch: a tree with an origin and keys of its own. */
export interface EpochView {
  readonly origin: string;
  /** Leaf 0, `log.epoch.open`: public, with its proof. */
  readonly statement: Uint8Array;
  /** Verifier keys of the checkpoint's three lines in their order, one text each (C2SP signed-note). */
  readonly verifierKeys: readonly string[];
  readonly isOpen: boolean;
  /** Null while it is open. */
  readonly tail: Tail | null;
  /** Published heads that are kept, oldest first; never empty once the first was signed. Proofs are to the newest. */
  readonly heads: readonly PublishedHead[];
  /**
   * The hashes of a tile of the newest head's tree, of a closed epoch of its tail's tree; undefined for one that it does
   * not have, or that was pruned. A partial tile of an earlier tree is the beginning of the same one.
   */
  tile(tile: Tile): Uint8Array | undefined;
  /** The entries of a bundle of the same tree; undefined when it does not have it or they were pruned. */
  bundle(tile: Tile): Uint8Array | undefined;
  /** The index of the newest leaf about a transfer, which no head may cover yet; undefined when there is none. */
  indexOf(transferId: string): number | undefined;
}

export interface LogView {
  readonly mode: AuditMode;
  /** What is wrong with the place that keeps the log; null, or missing, when nothing is. */
  readonly alarm?: string | null;
  /** Epochs that are still kept, the open one last. */
  readonly epochs: readonly EpochView[];
}
