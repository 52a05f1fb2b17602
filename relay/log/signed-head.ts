/** What a signer answered, held against what it was asked for: nothing that it says is believed. */
import { equalBytes } from '../../protocol/bytes.ts';
import { type LogKeys, verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import type { PublishedHead } from './log-view.ts';
import type { HeadRequest } from './signer.ts';

/** The head of `request`, signed by the keys of its epoch; refuses `proof-invalid`, and what no checkpoint may be. */
export function signedHead(
  engine: Engine,
  keys: LogKeys,
  { origin, size, root, seconds }: HeadRequest,
  checkpoint: Uint8Array,
): PublishedHead {
  const signed = verifyCheckpoint(engine, checkpoint, origin, keys);
  if (signed.head.size !== size || signed.seconds !== seconds || !equalBytes(signed.head.root, root)) {
    throw new Problem('proof-invalid', `the signer answered with another head than that of ${size} leaves`);
  }
  return { size, root, seconds, checkpoint };
}
