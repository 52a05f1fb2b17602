/**
 * Log evidence: what a client keeps of one transfer to hold the relay to its word. The log receipt, the record that it
 * is about, and what shows that this record means the client's own block.
 */
import { equalBytes } from './bytes.ts';
import { canonicalBytes, parseCanonical } from './canonical.ts';
import type { LogKeys } from './checkpoint.ts';
import type { Engine } from './engine/engine.ts';
import { LOG_RECEIPT_BYTES, type LogReceipt, verifyLogReceipt } from './log-receipt.ts';
import { blockCommitment, type LogEvent, MAX_LOG_RECORD_BYTES, parseLogRecord } from './log-record.ts';
import { leafHash } from './merkle.ts';
import { Problem } from './problem.ts';
import { check, object, text } from './shape.ts';
import { bytesText, version1 } from './shapes.ts';
import { fromBase64Url, toBase64Url, toHex } from './text.ts';

/** Most bytes of a file. */
export const MAX_LOG_EVIDENCE_BYTES = 8192;
/** The longest time that a relay may take until a head covers a record. */
const MAX_WITHIN_SECONDS = 60;

export interface LogEvidence {
  /** SHA-256 of the block. */
  readonly blockSha256: Uint8Array;
  /** Bytes of the log receipt. */
  readonly receipt: Uint8Array;
  /** Bytes of the log record. */
  readonly record: Uint8Array;
  /** Of the commitment to the block. */
  readonly salt: Uint8Array;
}

export interface VerifiedEvidence {
  readonly receipt: LogReceipt;
  readonly event: Extract<LogEvent, { act: 'transfer.accepted' }>;
}

const MAX_RECORD_CHARACTERS = Math.ceil((MAX_LOG_RECORD_BYTES * 4) / 3);
const SHAPE = object({
  blockSha256: bytesText(32),
  receipt: bytesText(LOG_RECEIPT_BYTES),
  record: text('a log record in base64url', 1, MAX_RECORD_CHARACTERS),
  salt: bytesText(32),
  v: version1,
});

/** Canonical JSON, as it stands in a file. */
export function formatLogEvidence({ blockSha256, receipt, record, salt }: LogEvidence): Uint8Array {
  return canonicalBytes({
    blockSha256: toBase64Url(blockSha256),
    receipt: toBase64Url(receipt),
    record: toBase64Url(record),
    salt: toBase64Url(salt),
    v: 1,
  });
}

/** Parses a file without believing it; refuses what is no canonical JSON of that shape. */
export function parseLogEvidence(bytes: Uint8Array): LogEvidence {
  const { blockSha256, receipt, record, salt } = check(SHAPE, parseCanonical(bytes, MAX_LOG_EVIDENCE_BYTES));
  return {
    blockSha256: fromBase64Url(blockSha256),
    receipt: fromBase64Url(receipt),
    record: fromBase64Url(record),
    salt: fromBase64Url(salt),
  };
}

/**
 * Checks that the epoch of `origin` with these keys promised the record, and that the record says of this block and no
 * other that it was taken. Whether the log keeps the promise takes a proof. Refuses `log-receipt-invalid`, and what
 * `parseLogRecord` refuses.
 */
export function verifyLogEvidence(
  engine: Engine,
  evidence: LogEvidence,
  origin: string,
  keys: Pick<LogKeys, 'ml-dsa-44'>,
): VerifiedEvidence {
  const receipt = verifyLogReceipt(engine, evidence.receipt, origin, keys['ml-dsa-44']);
  const { index, timeMs, withinSeconds } = receipt;
  if (withinSeconds > MAX_WITHIN_SECONDS) {
    throw refusal(`promises a head within ${withinSeconds} s, not ${MAX_WITHIN_SECONDS} s`);
  }
  if (!equalBytes(leafHash(engine, evidence.record), receipt.leafHash)) throw refusal('is about another log record');
  const event = parseLogRecord(evidence.record);
  if (event.act !== 'transfer.accepted') throw refusal(`is about ${event.act}, not transfer.accepted`);
  const transfer = toHex(receipt.transferId);
  if (event.obj.x !== transfer) throw refusal(`is for the transfer ${transfer}, its record for ${event.obj.x}`);
  if (event.i !== index || event.t !== timeMs) {
    throw refusal(`says index ${index} at ${timeMs}, its record index ${event.i} at ${event.t}`);
  }
  if (event.obj.c !== blockCommitment(engine, evidence.salt, evidence.blockSha256)) {
    throw refusal('is about another block: its record commits to another hash');
  }
  return { receipt, event };
}

function refusal(fact: string): Problem {
  return new Problem('log-receipt-invalid', `the log receipt ${fact}`);
}
