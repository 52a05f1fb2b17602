/**
 * Proof about the tail of an epoch: records that no signed head of it covers, because its process ended before. The
 * statement of the next epoch names root and size of the whole tree; that statement is leaf 0 under a signed head.
 */
import { canonicalBytes, parseJson } from './canonical.ts';
import type { Engine } from './engine/engine.ts';
import { verifyEpoch } from './epoch.ts';
import type { PreviousEpoch } from './epoch-opening.ts';
import { leafHash, MAX_PROOF_HASHES, verifyConsistency, verifyInclusion } from './merkle.ts';
import { MAX_NOTE_BYTES } from './note.ts';
import { Problem } from './problem.ts';
import { check, integer, list, object, text } from './shape.ts';
import { originText } from './shapes.ts';
import { fromBase64, fromBase64Url, toBase64 } from './text.ts';
import { parseTlogProof, verifyTlogProof } from './tlog-proof.ts';

/** Most bytes of a written proof. */
const MAX_TAIL_PROOF_BYTES = 2 * MAX_NOTE_BYTES;

export interface TailProof {
  /** Of the epoch that ended. */
  readonly origin: string;
  /** The leaf that the hashes prove, or the size of the head that the tail continues. */
  readonly proves: { readonly index: number } | { readonly from: number };
  readonly hashes: readonly Uint8Array[];
  /** The next epoch's statement as its leaf 0: the bytes of a `.tlog-proof` with its `extra` line. */
  readonly next: Uint8Array;
}

export type Tail = Extract<PreviousEpoch, { readonly origin: string }>;

const WHOLE = integer(0, Number.MAX_SAFE_INTEGER);
const SHAPE = object(
  {
    hashes: list(text('a hash in base64', 44, 44), 0, MAX_PROOF_HASHES),
    next: text('a .tlog-proof', 1, MAX_NOTE_BYTES, /^[\n -~\u2014]*$/),
    origin: originText,
  },
  { from: WHOLE, index: WHOLE },
);

/** Canonical JSON of a proof. */
export function formatTailProof({ origin, proves, hashes, next }: TailProof): Uint8Array {
  return canonicalBytes({ ...proves, hashes: hashes.map(toBase64), next: Buffer.from(next).toString('utf8'), origin });
}

/** Parses a proof without believing it; refuses `proof-invalid` and what is no JSON of that shape. */
export function parseTailProof(bytes: Uint8Array): TailProof {
  const { origin, from, index, hashes, next } = check(SHAPE, parseJson(bytes, MAX_TAIL_PROOF_BYTES));
  if ((from === undefined) === (index === undefined)) {
    throw new Problem('proof-invalid', 'the proof has not exactly one of from and index');
  }
  const proves = index === undefined ? { from: from! } : { index };
  return { origin, proves, hashes: hashes.map(fromBase64), next: new Uint8Array(Buffer.from(next, 'utf8')) };
}

/**
 * Checks a proof against the pin of the relay's log key; `proved` is the hash of the leaf, or the root of the head that
 * the tail continues. Gives what the next epoch says of the one that ended. Refuses `proof-invalid`,
 * `log-epoch-invalid` when `next` is not the statement of the epoch after it, and what `verifyEpoch` and
 * `verifyTlogProof` refuse.
 */
export function verifyTailProof(engine: Engine, proof: TailProof, proved: Uint8Array, logPin: string): Tail {
  const { origin, proves, hashes } = proof;
  const tail = tailIn(engine, parseTlogProof(proof.next), logPin);
  if (tail?.origin !== origin) {
    throw new Problem('log-epoch-invalid', `the next epoch follows ${tail?.origin ?? 'no epoch'}, not ${origin}`);
  }
  const root = fromBase64Url(tail.tailRoot);
  if ('index' in proves) verifyInclusion(engine, hashes, proves.index, proved, tail.tailSize, root);
  else verifyConsistency(engine, hashes, proves.from, proved, tail.tailSize, root);
  return tail;
}

/** What the statement in a verified `.tlog-proof` says of the epoch before; null when it knows of none. */
function tailIn(engine: Engine, statement: ReturnType<typeof parseTlogProof>, logPin: string): Tail | null {
  const { extra, index } = statement;
  if (!extra || index !== 0) throw new Problem('log-epoch-invalid', 'the next epoch is not shown by its statement');
  const { event, keys } = verifyEpoch(engine, extra, logPin);
  verifyTlogProof(engine, statement, leafHash(engine, extra), event.obj.origin, keys);
  const { prev } = event.obj;
  return prev.source === 'none' ? null : prev;
}
