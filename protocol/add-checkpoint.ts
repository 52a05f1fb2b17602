/**
 * Proof that a log only grew, as a witness takes it (C2SP tlog-witness, section add-checkpoint).
 *
 *     old N                           size of the tree that is known
 *     BASE64 of each hash             consistency proof from there
 *     (an empty line)
 *     checkpoint, as it was signed
 */
import { type LogKeys, type VerifiedCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import type { Engine } from './engine/engine.ts';
import { verifyConsistency } from './merkle.ts';
import { formatProofText, hashLines, parseHashLines, parseNumberLine, parseProofText } from './proof-text.ts';

export interface AddCheckpoint {
  readonly oldSize: number;
  readonly hashes: readonly Uint8Array[];
  readonly checkpoint: Uint8Array;
}

export function formatAddCheckpoint({ oldSize, hashes, checkpoint }: AddCheckpoint): Uint8Array {
  return formatProofText({ lines: [`old ${oldSize}`, ...hashLines(hashes)], checkpoint });
}

/** Parses a body without believing it; refuses `proof-invalid` and `encoding-invalid`. */
export function parseAddCheckpoint(bytes: Uint8Array): AddCheckpoint {
  const { lines, checkpoint } = parseProofText(bytes);
  const [old, ...hashes] = lines;
  return { oldSize: parseNumberLine('old', old), hashes: parseHashLines(hashes), checkpoint };
}

/**
 * Checks that the checkpoint of the log `origin` continues the tree of `oldSize` leaves whose root is `oldRoot`, and
 * returns it. Refuses `proof-invalid` and what `verifyCheckpoint` refuses.
 */
export function verifyAddCheckpoint(
  engine: Engine,
  { oldSize, hashes, checkpoint }: AddCheckpoint,
  oldRoot: Uint8Array,
  origin: string,
  keys: LogKeys,
): VerifiedCheckpoint {
  const verified = verifyCheckpoint(engine, checkpoint, origin, keys);
  verifyConsistency(engine, hashes, oldSize, oldRoot, verified.head.size, verified.head.root);
  return verified;
}
