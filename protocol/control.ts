/**
 * The control frame: 32 KiB that travel beside a block, one for each direction of an exchange.
 *
 *     "GPC1" | items | zeros        item: type u8 | length u16 | value
 *
 * Items are of fixed length but for problem, roster piece, what the audit log shows and the documents of devices; type 0
 * ends the list.
 * Unknown types are skipped, so that a newer peer can say more.
 */
import { ByteReader, ByteWriter, concat, equalBytes, isZero, utf8 } from './bytes.ts';
import { LOG_RECEIPT_BYTES } from './log-receipt.ts';
import { MAX_LOG_RECORD_BYTES } from './log-record.ts';
import { PROBLEMS, Problem, type ProblemCode } from './problem.ts';
import { RECEIPT_BYTES } from './receipt.ts';
import { REJECT_CODES, type RejectCode } from './reject.ts';

export const CONTROL_BYTES = 32_768;
export const TRANSFER_ID_BYTES = 16;

const MAGIC = utf8('GPC1');
const ITEM_HEAD_BYTES = 3;

/** What the relay says of a transfer, by the number on the wire. */
export const TRANSFER_STATES = ['waiting', 'leased', 'delivered', 'rejected', 'expired', 'deleted', 'unknown'] as const;
export type TransferState = (typeof TRANSFER_STATES)[number];

export type ControlItem =
  /** Receiver: its random id of this start, and how many blocks it wants to hold at once. */
  | { readonly type: 'session'; readonly sessionId: Uint8Array; readonly maxLeases: number }
  /** Receiver: the block is committed; the secret proves that it was opened. */
  | { readonly type: 'ack'; readonly transferId: Uint8Array; readonly ackSecret: Uint8Array }
  /** Receiver: the block will never be committed here. */
  | { readonly type: 'reject'; readonly transferId: Uint8Array; readonly code: RejectCode }
  /** Either way: a delivery receipt, opaque here. */
  | { readonly type: 'receipt'; readonly bytes: Uint8Array }
  /** Relay: random id of this run of the relay; a new one means that what it held is gone. */
  | { readonly type: 'epoch'; readonly epochId: Uint8Array }
  /** Relay: the block of this exchange is held under this id. */
  | { readonly type: 'accepted'; readonly transferId: Uint8Array; readonly repeated: boolean }
  /** Relay: the block beside this frame, its attempt, and how long the lease lasts. */
  | {
      readonly type: 'lease';
      readonly transferId: Uint8Array;
      readonly blockSha256: Uint8Array;
      readonly attempt: number;
      readonly leaseMs: number;
    }
  /** Relay: the block beside this frame is a cover: random bytes that mean nothing. */
  | { readonly type: 'cover' }
  /** Relay: what became of a transfer. */
  | { readonly type: 'status'; readonly transferId: Uint8Array; readonly state: TransferState }
  /** Relay: what it did not do, about a transfer or (zeros) about the exchange. */
  | { readonly type: 'problem'; readonly transferId: Uint8Array; readonly code: ProblemCode }
  /** Relay: its signed word that the audit log has a record about a transfer; opaque here. */
  | { readonly type: 'logReceipt'; readonly bytes: Uint8Array }
  /** Relay: the salt of the commitment to a block in the audit log, 32 bytes. */
  | { readonly type: 'commitSalt'; readonly transferId: Uint8Array; readonly salt: Uint8Array }
  /** Relay: the log record that the log receipt of this exchange is about, the bytes of its leaf. */
  | { readonly type: 'logRecord'; readonly bytes: Uint8Array }
  /** Relay: the `.tlog-proof` of the log record that it promised for a transfer; opaque here. */
  | { readonly type: 'logProof'; readonly transferId: Uint8Array; readonly bytes: Uint8Array }
  /** Relay: the tail proof of one that no head of its closed epoch covers; opaque here. */
  | { readonly type: 'logTail'; readonly transferId: Uint8Array; readonly bytes: Uint8Array }
  /** Relay: the `.tlog-proof` of the statement of a log epoch, by the SHA-256 of its origin; opaque here. */
  | { readonly type: 'logEpoch'; readonly originHash: Uint8Array; readonly bytes: Uint8Array }
  /** Relay: part of the newest roster. */
  | {
      readonly type: 'rosterPiece';
      readonly version: number;
      readonly offset: number;
      readonly total: number;
      readonly bytes: Uint8Array;
    }
  /** Device: its registration, JSON, opaque here. */
  | { readonly type: 'registration'; readonly bytes: Uint8Array }
  /** Device: the roster that it has, and how much of a newer one (zeros for none). */
  | {
      readonly type: 'rosterHave';
      readonly version: number;
      readonly partVersion: number;
      readonly partBytes: number;
    }
  /** Device: the key of a peer that it has. */
  | { readonly type: 'peerHave'; readonly digest: Uint8Array; readonly keyId: Uint8Array }
  /** Relay: identity and key statement of a peer, JSON, opaque here. */
  | { readonly type: 'peer'; readonly digest: Uint8Array; readonly bytes: Uint8Array };

type ItemType = ControlItem['type'];

/** Type numbers are never used again; 16 to 31 are kept for the audit log (receipt, checkpoint, proof, epoch). */
const NUMBERS: Record<ItemType, number> = {
  session: 1,
  ack: 2,
  reject: 3,
  receipt: 4,
  epoch: 5,
  accepted: 6,
  lease: 7,
  cover: 8,
  status: 9,
  problem: 10,
  rosterPiece: 11,
  registration: 12,
  rosterHave: 13,
  peerHave: 14,
  peer: 15,
  logReceipt: 16,
  commitSalt: 17,
  logRecord: 18,
  logProof: 19,
  logTail: 20,
  logEpoch: 21,
};
const TYPES = new Map<number, ItemType>(
  Object.entries(NUMBERS).map(([type, number]): [number, ItemType] => [number, type as ItemType]),
);

const ROSTER_PIECE_HEAD_BYTES = 12;
/** Most roster bytes that one item carries. */
export const MAX_ROSTER_PIECE_BYTES = 24_576;

/** Bytes that `item` takes in a frame. */
export function itemBytes(item: ControlItem): number {
  return ITEM_HEAD_BYTES + encodeItem(item).length;
}

/** A control frame of exactly 32 KiB; items that do not fit are a programming error (`control-invalid`). */
export function encodeControl(items: readonly ControlItem[]): Uint8Array {
  const frame = new Uint8Array(CONTROL_BYTES);
  const writer = new ByteWriter(frame).bytes(MAGIC);
  for (const item of items) {
    const value = encodeItem(item);
    if (writer.at + ITEM_HEAD_BYTES + value.length > CONTROL_BYTES) {
      throw new Problem('control-invalid', `${items.length} items do not fit into ${CONTROL_BYTES} bytes`);
    }
    writer.u8(NUMBERS[item.type]).u16(value.length).bytes(value);
  }
  return frame;
}

/** Parses a control frame; refuses `control-invalid`. */
export function parseControl(frame: Uint8Array): ControlItem[] {
  if (frame.length !== CONTROL_BYTES) {
    throw new Problem('control-invalid', `a control frame has ${CONTROL_BYTES} bytes, not ${frame.length}`);
  }
  const reader = new ByteReader(frame, 'control-invalid');
  if (!equalBytes(reader.bytes(4), MAGIC)) throw new Problem('control-invalid', 'does not start with "GPC1"');
  const items: ControlItem[] = [];
  while (reader.left > 0) {
    const number = reader.u8();
    if (number === 0) {
      if (!isZero(reader.bytes(reader.left)))
        throw new Problem('control-invalid', 'a byte behind the items is not zero');
      break;
    }
    const value = reader.bytes(reader.u16());
    const type = TYPES.get(number);
    if (type) items.push(parseItem(type, value));
  }
  return items;
}

/** The first item of one type. */
export function itemOf<T extends ItemType>(
  items: readonly ControlItem[],
  type: T,
): Extract<ControlItem, { type: T }> | undefined {
  return items.find((item): item is Extract<ControlItem, { type: T }> => item.type === type);
}

function encodeItem(item: ControlItem): Uint8Array {
  switch (item.type) {
    case 'session':
      return layout(18, (w) => w.bytes(item.sessionId).u16(item.maxLeases));
    case 'ack':
      return layout(48, (w) => w.bytes(item.transferId).bytes(item.ackSecret));
    case 'reject':
      return layout(17, (w) => w.bytes(item.transferId).u8(REJECT_CODES.indexOf(item.code)));
    case 'receipt':
    case 'logReceipt':
    case 'logRecord':
    case 'registration':
      return item.bytes;
    case 'commitSalt':
      return layout(48, (w) => w.bytes(item.transferId).bytes(item.salt));
    case 'logProof':
    case 'logTail':
      return concat(item.transferId, item.bytes);
    case 'logEpoch':
      return concat(item.originHash, item.bytes);
    case 'epoch':
      return item.epochId;
    case 'accepted':
      return layout(17, (w) => w.bytes(item.transferId).u8(item.repeated ? 1 : 0));
    case 'lease':
      return layout(56, (w) => w.bytes(item.transferId).bytes(item.blockSha256).u32(item.attempt).u32(item.leaseMs));
    case 'cover':
      return new Uint8Array(0);
    case 'status':
      return layout(17, (w) => w.bytes(item.transferId).u8(TRANSFER_STATES.indexOf(item.state)));
    case 'problem':
      return layout(16 + item.code.length, (w) => w.bytes(item.transferId).bytes(utf8(item.code)));
    case 'rosterPiece':
      return layout(ROSTER_PIECE_HEAD_BYTES + item.bytes.length, (w) =>
        w.u32(item.version).u32(item.offset).u32(item.total).bytes(item.bytes),
      );
    case 'rosterHave':
      return layout(12, (w) => w.u32(item.version).u32(item.partVersion).u32(item.partBytes));
    case 'peerHave':
      return layout(48, (w) => w.bytes(item.digest).bytes(item.keyId));
    case 'peer':
      return layout(32 + item.bytes.length, (w) => w.bytes(item.digest).bytes(item.bytes));
  }
}

function parseItem(type: ItemType, value: Uint8Array): ControlItem {
  const reader = new ByteReader(value, 'control-invalid');
  const item = readItem(type, reader);
  reader.end();
  return item;
}

function readItem(type: ItemType, reader: ByteReader): ControlItem {
  switch (type) {
    case 'session':
      return { type, sessionId: reader.bytes(16), maxLeases: reader.u16() };
    case 'ack':
      return { type, transferId: reader.bytes(16), ackSecret: reader.bytes(32) };
    case 'reject':
      return { type, transferId: reader.bytes(16), code: member(REJECT_CODES, reader.u8(), 'reject code') };
    case 'receipt':
      return { type, bytes: reader.bytes(RECEIPT_BYTES) };
    case 'logReceipt':
      return { type, bytes: reader.bytes(LOG_RECEIPT_BYTES) };
    case 'logRecord':
      return { type, bytes: reader.bytes(Math.min(reader.left, MAX_LOG_RECORD_BYTES)) };
    case 'commitSalt':
      return { type, transferId: reader.bytes(16), salt: reader.bytes(32) };
    case 'logProof':
    case 'logTail':
      return { type, transferId: reader.bytes(16), bytes: reader.bytes(reader.left) };
    case 'logEpoch':
      return { type, originHash: reader.bytes(32), bytes: reader.bytes(reader.left) };
    case 'epoch':
      return { type, epochId: reader.bytes(16) };
    case 'accepted':
      return { type, transferId: reader.bytes(16), repeated: member([false, true], reader.u8(), 'flag') };
    case 'lease':
      return {
        type,
        transferId: reader.bytes(16),
        blockSha256: reader.bytes(32),
        attempt: reader.u32(),
        leaseMs: reader.u32(),
      };
    case 'cover':
      return { type };
    case 'status':
      return { type, transferId: reader.bytes(16), state: member(TRANSFER_STATES, reader.u8(), 'transfer state') };
    case 'problem':
      return { type, transferId: reader.bytes(16), code: problemCode(reader.bytes(reader.left)) };
    case 'rosterPiece':
      return {
        type,
        version: reader.u32(),
        offset: reader.u32(),
        total: reader.u32(),
        bytes: reader.bytes(Math.min(reader.left, MAX_ROSTER_PIECE_BYTES)),
      };
    case 'registration':
      return { type, bytes: reader.bytes(reader.left) };
    case 'rosterHave':
      return { type, version: reader.u32(), partVersion: reader.u32(), partBytes: reader.u32() };
    case 'peerHave':
      return { type, digest: reader.bytes(32), keyId: reader.bytes(16) };
    case 'peer':
      return { type, digest: reader.bytes(32), bytes: reader.bytes(reader.left) };
  }
}

function layout(length: number, write: (writer: ByteWriter) => void): Uint8Array {
  const out = new Uint8Array(length);
  write(new ByteWriter(out));
  return out;
}

function member<T>(values: readonly T[], index: number, what: string): T {
  const value = values[index];
  if (value === undefined) throw new Problem('control-invalid', `${what} ${index} is not known to this version`);
  return value;
}

function problemCode(bytes: Uint8Array): ProblemCode {
  const code = String.fromCharCode(...bytes.subarray(0, 64));
  if (!Object.hasOwn(PROBLEMS, code))
    throw new Problem('control-invalid', 'a problem code is not known to this version');
  return code as ProblemCode;
}
