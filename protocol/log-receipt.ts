/**
 * The log receipt: the relay's signed word that a log record about a transfer stands, or will stand, in its log.
 *
 * It lets no sender forget a record: only a delivery receipt does. A later head of that log without the leaf proves
 * that the relay lied.
 *
 *     "GPL1" | originHash 32 | transferId 16 | index u64 | leafHash 32 | time u64 | mode u8 | within u16 | signature 2420
 */
import { ByteReader, ByteWriter, equalBytes, utf8 } from './bytes.ts';
import { type Engine, SIGNATURE_ALGORITHMS, type SingleKey } from './engine/engine.ts';
import { AUDIT_MODES, type AuditMode } from './log-action.ts';
import type { Hasher } from './merkle.ts';
import { Problem } from './problem.ts';

const MAGIC = utf8('GPL1');
const LABEL = 'ghostpipe/log-receipt/v1';
const SIGNED_BYTES = 103;

export const LOG_RECEIPT_BYTES: number = SIGNED_BYTES + SIGNATURE_ALGORITHMS['ml-dsa-44'].signatureBytes;

export interface LogReceipt {
  /** SHA-256 of the log's origin, as C2SP names logs in paths. */
  readonly originHash: Uint8Array;
  readonly transferId: Uint8Array;
  readonly index: number;
  readonly leafHash: Uint8Array;
  /** Wall time of the record in milliseconds. */
  readonly timeMs: number;
  /** What the log promised then. */
  readonly mode: AuditMode;
  /** Seconds within which a head covers the leaf. */
  readonly withinSeconds: number;
}

/** Encodes a receipt and signs it with the epoch's ML-DSA-44 key. */
export function signLogReceipt(hasher: Hasher, signer: SingleKey, receipt: LogReceipt): Uint8Array {
  const out = new Uint8Array(LOG_RECEIPT_BYTES);
  new ByteWriter(out)
    .bytes(MAGIC)
    .bytes(receipt.originHash)
    .bytes(receipt.transferId)
    .u64(receipt.index)
    .bytes(receipt.leafHash)
    .u64(receipt.timeMs)
    .u8(AUDIT_MODES.indexOf(receipt.mode))
    .u16(receipt.withinSeconds);
  out.set(signer.sign(LABEL, receiptDigest(hasher, out)), SIGNED_BYTES);
  return out;
}

/** Parses a receipt without believing it; refuses `log-receipt-invalid`. */
export function parseLogReceipt(bytes: Uint8Array): LogReceipt {
  const reader = new ByteReader(bytes, 'log-receipt-invalid');
  if (!equalBytes(reader.bytes(4), MAGIC)) throw new Problem('log-receipt-invalid', 'does not start with "GPL1"');
  const originHash = reader.bytes(32);
  const transferId = reader.bytes(16);
  const index = reader.u64();
  const leafHash = reader.bytes(32);
  const timeMs = reader.u64();
  const modeNumber = reader.u8();
  const withinSeconds = reader.u16();
  reader.bytes(LOG_RECEIPT_BYTES - SIGNED_BYTES);
  reader.end();
  const mode = AUDIT_MODES[modeNumber];
  if (!mode) throw new Problem('log-receipt-invalid', `mode ${modeNumber} is not known to this version`);
  return { originHash, transferId, index, leafHash, timeMs, mode, withinSeconds };
}

/**
 * Checks a receipt of the log `origin`, whose ML-DSA-44 key stands in its epoch statement; refuses
 * `log-receipt-invalid`.
 */
export function verifyLogReceipt(engine: Engine, bytes: Uint8Array, origin: string, publicKey: Uint8Array): LogReceipt {
  const receipt = parseLogReceipt(bytes);
  if (!equalBytes(receipt.originHash, engine.sha256(utf8(origin)))) {
    throw new Problem('log-receipt-invalid', `the log receipt is of another log than ${origin}`);
  }
  const signature = bytes.subarray(SIGNED_BYTES);
  if (!engine.verifySingle('ml-dsa-44', publicKey, LABEL, receiptDigest(engine, bytes), signature)) {
    throw new Problem('log-receipt-invalid', 'the signature of the epoch key does not verify');
  }
  return receipt;
}

function receiptDigest(hasher: Hasher, bytes: Uint8Array): Uint8Array {
  return hasher.sha256(utf8(LABEL), bytes.subarray(0, SIGNED_BYTES));
}
