/**
 * The delivery receipt: a receiver's signed word to a sender that records are committed at their destination.
 *
 * It is cumulative, so a lost one costs nothing, and of fixed length, so that it tells nothing. A sender lets go of
 * a record only on it; the relay carries it and cannot make it.
 *
 *     "GPR1" | receiver 32 | sender 32 | streamId 16 | run 16 | serial u64 | nextRecord u64
 *     | rangeCount u8 | 16 x (first u64, count u32) | rejectCount u8 | 16 x (blockSeq u64, code u8) | signatures 3373
 */
import { ByteReader, ByteWriter, equalBytes, isZero, utf8 } from './bytes.ts';
import { type Engine, SIGNATURE_PAIR_BYTES, type SigningKey, type VerifyingKeys } from './engine/engine.ts';
import { Problem } from './problem.ts';
import { type Range, strictRanges } from './ranges.ts';
import { REJECT_CODES, type RejectCode } from './reject.ts';

const MAGIC = utf8('GPR1');
const SIGNED_BYTES = 454;
const RANGE_BYTES = 12;
const REJECT_BYTES = 9;

export const RECEIPT_BYTES: number = SIGNED_BYTES + SIGNATURE_PAIR_BYTES;
export const MAX_RECEIPT_RANGES = 16;
export const MAX_RECEIPT_REJECTS = 16;

export interface BlockReject {
  readonly blockSeq: number;
  readonly code: RejectCode;
}

export interface DeliveryReceipt {
  /** Digests inside the DIDs, 32 bytes each. */
  readonly receiverDigest: Uint8Array;
  readonly senderDigest: Uint8Array;
  readonly streamId: Uint8Array;
  /** The run that this receipt speaks of. */
  readonly run: Uint8Array;
  /** Grows with each receipt of this receiver; an older one never replaces a newer one. */
  readonly serial: number;
  /** Every record below it is committed. */
  readonly nextRecord: number;
  /** The newest committed ranges above it: ascending, disjoint, at most 16. */
  readonly ranges: readonly Range[];
  /** The newest rejected blocks, at most 16. */
  readonly rejects: readonly BlockReject[];
}

/** Encodes and signs a receipt; refuses `receipt-invalid` for more ranges or rejects than it has room for. */
export function signReceipt(engine: Engine, signer: SigningKey, receipt: DeliveryReceipt): Uint8Array {
  if (receipt.ranges.length > MAX_RECEIPT_RANGES || receipt.rejects.length > MAX_RECEIPT_REJECTS) {
    const counts = `${receipt.ranges.length} ranges and ${receipt.rejects.length} rejects`;
    throw new Problem('receipt-invalid', `${counts} are more than ${MAX_RECEIPT_RANGES} and ${MAX_RECEIPT_REJECTS}`);
  }
  const out = new Uint8Array(RECEIPT_BYTES);
  const writer = new ByteWriter(out)
    .bytes(MAGIC)
    .bytes(receipt.receiverDigest)
    .bytes(receipt.senderDigest)
    .bytes(receipt.streamId)
    .bytes(receipt.run)
    .u64(receipt.serial)
    .u64(receipt.nextRecord)
    .u8(receipt.ranges.length);
  for (const { first, count } of receipt.ranges) writer.u64(first).u32(count);
  writer.zeros((MAX_RECEIPT_RANGES - receipt.ranges.length) * RANGE_BYTES).u8(receipt.rejects.length);
  for (const { blockSeq, code } of receipt.rejects) writer.u64(blockSeq).u8(REJECT_CODES.indexOf(code));
  writer.zeros((MAX_RECEIPT_REJECTS - receipt.rejects.length) * REJECT_BYTES);
  out.set(signer.sign('ghostpipe/delivery-receipt/v1', receiptDigest(engine, out)), SIGNED_BYTES);
  return out;
}

/** Parses a receipt without believing it; refuses `receipt-invalid`. */
export function parseReceipt(bytes: Uint8Array): DeliveryReceipt {
  const reader = new ByteReader(bytes, 'receipt-invalid');
  if (!equalBytes(reader.bytes(4), MAGIC)) throw new Problem('receipt-invalid', 'does not start with "GPR1"');
  const receiverDigest = reader.bytes(32);
  const senderDigest = reader.bytes(32);
  const streamId = reader.bytes(16);
  const run = reader.bytes(16);
  const serial = reader.u64();
  const nextRecord = reader.u64();
  const ranges = parseSlots(reader, MAX_RECEIPT_RANGES, RANGE_BYTES, (slot) => ({
    first: slot.u64(),
    count: slot.u32(),
  }));
  const rejects = parseSlots(reader, MAX_RECEIPT_REJECTS, REJECT_BYTES, parseReject);
  reader.bytes(SIGNATURE_PAIR_BYTES);
  reader.end();
  const above = strictRanges(ranges, 'receipt-invalid').ranges()[0];
  if (above && above.first <= nextRecord) {
    throw new Problem('receipt-invalid', `range from ${above.first} is not above the next record ${nextRecord}`);
  }
  return { receiverDigest, senderDigest, streamId, run, serial, nextRecord, ranges, rejects };
}

/** Parses a receipt and verifies both signatures against the receiver's keys; refuses `receipt-invalid`. */
export function verifyReceipt(engine: Engine, bytes: Uint8Array, keys: VerifyingKeys): DeliveryReceipt {
  const receipt = parseReceipt(bytes);
  const signatures = bytes.subarray(SIGNED_BYTES);
  if (!engine.verify(keys, 'ghostpipe/delivery-receipt/v1', receiptDigest(engine, bytes), signatures)) {
    throw new Problem('receipt-invalid', 'a signature of the receiver does not verify');
  }
  return receipt;
}

function receiptDigest(engine: Engine, bytes: Uint8Array): Uint8Array {
  return engine.sha256(utf8('ghostpipe/delivery-receipt/v1'), bytes.subarray(0, SIGNED_BYTES));
}

/** A count and `max` fixed slots, of which those behind the count are zero. */
function parseSlots<T>(reader: ByteReader, max: number, slotBytes: number, parse: (slot: ByteReader) => T): T[] {
  const count = reader.u8();
  if (count > max) throw new Problem('receipt-invalid', `${count} entries are more than ${max}`);
  const items = Array.from({ length: count }, () => parse(reader));
  if (!isZero(reader.bytes((max - count) * slotBytes))) {
    throw new Problem('receipt-invalid', 'an unused entry is not zero');
  }
  return items;
}

function parseReject(slot: ByteReader): BlockReject {
  const blockSeq = slot.u64();
  const number = slot.u8();
  const code = REJECT_CODES[number];
  if (code === undefined) throw new Problem('receipt-invalid', `reject code ${number} is not known to this version`);
  return { blockSeq, code };
}
