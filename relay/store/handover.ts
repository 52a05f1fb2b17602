/** What goes into the store and what comes out of it. */
import type { BlockBytes, Slot } from './block-store.ts';

/** A whole block in a slot that `admit` gave, and where it goes. */
export interface Submission {
  readonly sender: string;
  readonly slot: Slot;
  /** SHA-256 of the block in hex. */
  readonly hash: string;
  readonly views: number;
  readonly burnAtClaim: boolean;
  readonly ttlMs: number;
  readonly recipients: readonly { readonly did: string; readonly ackCommit: Uint8Array }[];
}

export interface Accepted {
  readonly transferId: string;
  readonly repeated: boolean;
}

/** A block to be streamed to its reader. `release` must be called once the answer is over, however it ended. */
export interface Lease {
  readonly transferId: string;
  readonly hash: string;
  readonly attempt: number;
  readonly leaseMs: number;
  readonly bytes: BlockBytes;
  release(): void;
}
