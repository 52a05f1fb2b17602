/**
 * Proof that an entry stands in a log, in one file that needs no network (C2SP tlog-proof).
 *
 *     c2sp.org/tlog-proof@v1
 *     extra BASE64                    may be missing
 *     index N
 *     BASE64 of each hash             inclusion proof, from the leaf's sibling up
 *     (an empty line)
 *     checkpoint, as it was signed
 */
import { type LogKeys, type VerifiedCheckpoint, verifyCheckpoint } from './checkpoint.ts';
import type { Engine } from './engine/engine.ts';
import { verifyInclusion } from './merkle.ts';
import { Problem } from './problem.ts';
import { formatProofText, hashLines, parseHashLines, parseNumberLine, parseProofText } from './proof-text.ts';
import { fromBase64, toBase64 } from './text.ts';

/** Room for the longest log record. */
export const MAX_EXTRA_BYTES = 16_384;
const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
const EXTRA = 'extra ';

export interface TlogProof {
  /** Data of who made the file, which nothing vouches for. In the relay's proofs it is the log record. */
  readonly extra?: Uint8Array;
  readonly index: number;
  readonly hashes: readonly Uint8Array[];
  readonly checkpoint: Uint8Array;
}

export function formatTlogProof({ extra, index, hashes, checkpoint }: TlogProof): Uint8Array {
  const extraLines = extra ? [EXTRA + toBase64(extra)] : [];
  return formatProofText({ lines: [FIRST_LINE, ...extraLines, `index ${index}`, ...hashLines(hashes)], checkpoint });
}

/** Parses a proof without believing it; refuses `proof-invalid` and `encoding-invalid`. */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  const { lines, checkpoint } = parseProofText(bytes);
  const [first, second, ...rest] = lines;
  if (first !== FIRST_LINE) throw new Problem('proof-invalid', `the first line is not ${FIRST_LINE}`);
  const extra = second?.startsWith(EXTRA) ? parseExtra(second) : undefined;
  const [indexLine, ...hashes] = extra ? rest : lines.slice(1);
  const index = parseNumberLine('index', indexLine);
  return { ...(extra && { extra }), index, hashes: parseHashLines(hashes), checkpoint };
}

/**
 * Checks that the leaf with hash `leaf` stands in the log `origin` where the proof says, and returns the checkpoint
 * that holds it. Refuses `proof-invalid` and what `verifyCheckpoint` refuses.
 */
export function verifyTlogProof(
  engine: Engine,
  proof: TlogProof,
  leaf: Uint8Array,
  origin: string,
  keys: LogKeys,
): VerifiedCheckpoint {
  const checkpoint = verifyCheckpoint(engine, proof.checkpoint, origin, keys);
  const { size, root } = checkpoint.head;
  verifyInclusion(engine, proof.hashes, proof.index, leaf, size, root);
  return checkpoint;
}

function parseExtra(line: string): Uint8Array {
  const extra = fromBase64(line.slice(EXTRA.length));
  if (extra.length > MAX_EXTRA_BYTES) {
    throw new Problem('proof-invalid', `${extra.length} bytes of extra data are more than ${MAX_EXTRA_BYTES}`);
  }
  return extra;
}
