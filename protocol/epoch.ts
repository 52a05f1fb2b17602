/**
 * The epoch statement: the log record `log.epoch.open`, leaf 0 of an epoch, signed by the relay's log key.
 *
 * It names the keys that sign the epoch's heads and the epoch before. Whoever knows the pin of the log key can begin
 * with it and believe nothing else.
 */
import { utf8 } from './bytes.ts';
import { canonicalBytes, type Json, parseCanonical } from './canonical.ts';
import type { LogKeys, LogSigners } from './checkpoint.ts';
import { spkiOf } from './engine/der.ts';
import { type Engine, SIGNATURE_ALGORITHMS } from './engine/engine.ts';
import type { EpochOpening } from './epoch-opening.ts';
import { encodeLogRecord, type LogEvent, MAX_EPOCH_RECORD_BYTES, parseLogRecord } from './log-record.ts';
import { Problem } from './problem.ts';
import { fromBase64Url, pinOf, toBase64Url } from './text.ts';

type OpenEvent = Extract<LogEvent, { act: 'log.epoch.open' }>;

/** What the relay says when it opens an epoch, besides keys and signature. */
export type EpochEvent = Omit<OpenEvent, 'act' | 'i' | 'obj' | 'res'> & {
  readonly obj: Omit<EpochOpening, 'keys' | 'signature'>;
};

export interface VerifiedEpoch {
  readonly event: OpenEvent;
  /** The keys in the statement, raw. */
  readonly keys: LogKeys;
}

const LABEL = 'ghostpipe/log-epoch/v1';
const UNSIGNED = toBase64Url(new Uint8Array(SIGNATURE_ALGORITHMS['ml-dsa-65'].signatureBytes));

/** Leaf 0 of an epoch whose heads `signers` will sign; `signers['ml-dsa-65']` is the relay's log key. */
export function signEpoch(engine: Engine, signers: LogSigners, event: EpochEvent): Uint8Array {
  const keys = {
    ed25519: toBase64Url(signers.ed25519.publicKey),
    mldsa44: toBase64Url(signers['ml-dsa-44'].publicKey),
    mldsa65: toBase64Url(signers['ml-dsa-65'].publicKey),
  };
  const encode = (signature: string) =>
    encodeLogRecord({ ...event, act: 'log.epoch.open', i: 0, res: 'success', obj: { ...event.obj, keys, signature } });
  const digest = epochDigest(engine, encode(UNSIGNED));
  return encode(toBase64Url(signers['ml-dsa-65'].sign(LABEL, digest)));
}

/**
 * Checks leaf 0 of an epoch against the pin of the relay's log key. Refuses `log-epoch-invalid`, and what
 * `parseLogRecord` refuses.
 */
export function verifyEpoch(engine: Engine, bytes: Uint8Array, logPin: string): VerifiedEpoch {
  const event = parseLogRecord(bytes);
  if (event.act !== 'log.epoch.open') {
    throw new Problem('log-epoch-invalid', `the log record is ${event.act}, not log.epoch.open`);
  }
  const { keys: texts, signature } = event.obj;
  const keys = {
    ed25519: fromBase64Url(texts.ed25519),
    'ml-dsa-44': fromBase64Url(texts.mldsa44),
    'ml-dsa-65': fromBase64Url(texts.mldsa65),
  };
  const pin = pinOf(spkiOf('ml-dsa-65', keys['ml-dsa-65']));
  if (pin !== logPin) throw new Problem('log-epoch-invalid', `the log key has the pin ${pin}, expected ${logPin}`);
  const digest = epochDigest(engine, bytes);
  if (!engine.verifySingle('ml-dsa-65', keys['ml-dsa-65'], LABEL, digest, fromBase64Url(signature))) {
    throw new Problem('log-epoch-invalid', 'the signature of the log key does not verify');
  }
  return { event, keys };
}

/** SHA-256(label || the canonical log record without its signature). */
function epochDigest(engine: Engine, record: Uint8Array): Uint8Array {
  const { obj, ...fields } = parseCanonical(record, MAX_EPOCH_RECORD_BYTES) as { obj: { signature: Json } };
  const { signature, ...opening } = obj;
  return engine.sha256(utf8(LABEL), canonicalBytes({ ...fields, obj: opening }));
}
