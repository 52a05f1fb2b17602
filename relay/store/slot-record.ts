/**
 * One copy of a slot file's metadata, always 24,576 bytes; docs/formats.md section 15 is its table.
 *
 *     SHA-256 of the rest 32 | "GPS1" | sequence u64 | bootId 16 | state u8 | transfer | views | zeros
 *
 * Transfer and views are zero unless the state is `stored`. Encoding what was parsed gives the same bytes.
 */
import { createHash } from 'node:crypto';
import { ByteReader, ByteWriter, equalBytes, isZero, utf8 } from '../../protocol/bytes.ts';
import { didOf, digestOf } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { REJECT_CODES } from '../../protocol/reject.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { type Transfer, VIEW_STATES, type View } from './transfer.ts';

/** Length of a copy: room for 256 views of 95 bytes behind 162 bytes of head. */
export const RECORD_BYTES = 24_576;
export const BOOT_ID_BYTES = 16;

const MAGIC = utf8('GPS1');
const HASH_BYTES = 32;
const MAX_VIEWS = 256;
/** Microseconds, 71 years of uptime: below it a number of milliseconds holds each of them. */
const END_OF_TIME = 2 ** 51;
const BURN_AT_CLAIM = 1;
const TAKEN = 1;
const HAS_SESSION = 2;

/** States of a slot file, by their number. */
export const SLOT_STATES = ['free', 'receiving', 'stored', 'burning'] as const;

/** What a slot file keeps of a held transfer. */
export type HeldTransfer = Omit<Transfer, 'slot' | 'end'>;

export interface SlotRecord {
  /** Grows by one with each copy written; the higher of two whole copies counts. */
  readonly sequence: number;
  /** 16 bytes of the boot whose clock the deadlines are read from. */
  readonly bootId: Uint8Array;
  readonly state: (typeof SLOT_STATES)[number];
  /** Of `stored`: the transfer, and its place in the order of acceptance. Null in the other states. */
  readonly held: { readonly order: number; readonly transfer: HeldTransfer } | null;
}

/** The bytes of a copy. Times are rounded to microseconds; DIDs, ids and hashes must be in their text forms. */
export function encodeRecord({ sequence, bootId, state, held }: SlotRecord): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  const writer = new ByteWriter(bytes).zeros(HASH_BYTES).bytes(MAGIC).u64(sequence).bytes(bootId);
  writer.u8(SLOT_STATES.indexOf(state));
  if (held) {
    const { order, transfer } = held;
    writer
      .u8(transfer.burnAtClaim ? BURN_AT_CLAIM : 0)
      .u16(transfer.viewLimit)
      .u16(transfer.views.size)
      .bytes(fromHex(transfer.id, 16))
      .bytes(digestOf(transfer.sender))
      .bytes(fromHex(transfer.hash, 32))
      .u64(microseconds(transfer.expiresMs))
      .u64(order);
    for (const view of transfer.views.values()) writeView(writer, view);
  }
  bytes.set(sha256(bytes.subarray(HASH_BYTES)));
  return bytes;
}

/** Parses a copy; refuses `file-invalid` for anything that `encodeRecord` does not write. */
export function parseRecord(bytes: Uint8Array): SlotRecord {
  const reader = new ByteReader(bytes, 'file-invalid');
  const hash = reader.bytes(HASH_BYTES);
  if (!equalBytes(hash, sha256(bytes.subarray(HASH_BYTES)))) throw invalid('the hash does not match');
  if (!equalBytes(reader.bytes(4), MAGIC)) throw invalid('does not start with "GPS1"');
  const sequence = reader.u64();
  const bootId = new Uint8Array(reader.bytes(BOOT_ID_BYTES));
  const state = named(SLOT_STATES, reader.u8(), 'state');
  const held = state === 'stored' ? parseHeld(reader) : null;
  if (!isZero(reader.bytes(reader.left))) throw invalid('bytes follow where the record ends');
  return { sequence, bootId, state, held };
}

function parseHeld(reader: ByteReader): NonNullable<SlotRecord['held']> {
  const flags = flagsWithin(BURN_AT_CLAIM, reader.u8());
  const viewLimit = reader.u16();
  const viewCount = reader.u16();
  if (viewCount < 1 || viewCount > MAX_VIEWS || viewLimit < 1 || viewLimit > viewCount) {
    throw invalid(`${viewLimit} of ${viewCount} views are not within 1 to ${MAX_VIEWS}`);
  }
  const id = toHex(reader.bytes(16));
  const sender = didOf(reader.bytes(32));
  const hash = toHex(reader.bytes(32));
  const expiresMs = milliseconds(reader);
  const order = reader.u64();
  const views = new Map<string, View>();
  for (let i = 0; i < viewCount; i++) {
    const view = parseView(reader);
    views.set(view.recipient, view);
  }
  if (views.size !== viewCount) throw invalid('a recipient stands twice');
  const burnAtClaim = flags === BURN_AT_CLAIM;
  return { order, transfer: { id, sender, hash, viewLimit, burnAtClaim, expiresMs, views } };
}

function writeView(writer: ByteWriter, view: View): void {
  writer
    .bytes(digestOf(view.recipient))
    .bytes(view.ackCommit)
    .u8(VIEW_STATES.indexOf(view.state))
    .u8((view.taken ? TAKEN : 0) | (view.session === '' ? 0 : HAS_SESSION))
    .bytes(view.session === '' ? new Uint8Array(16) : fromHex(view.session, 16))
    .u64(microseconds(view.leaseEndsMs))
    .u32(view.attempts)
    .u8(view.rejectCode === null ? 0 : 1 + REJECT_CODES.indexOf(view.rejectCode));
}

function parseView(reader: ByteReader): View {
  const recipient = didOf(reader.bytes(32));
  const ackCommit = new Uint8Array(reader.bytes(32));
  const state = named(VIEW_STATES, reader.u8(), 'view state');
  const flags = flagsWithin(TAKEN | HAS_SESSION, reader.u8());
  const session = reader.bytes(16);
  const hasSession = (flags & HAS_SESSION) !== 0;
  if (!hasSession && !isZero(session)) throw invalid('a session stands where there is none');
  const leaseEndsMs = milliseconds(reader);
  const attempts = reader.u32();
  const reject = reader.u8();
  return {
    recipient,
    ackCommit,
    state,
    taken: (flags & TAKEN) !== 0,
    session: hasSession ? toHex(session) : '',
    leaseEndsMs,
    attempts,
    rejectCode: reject === 0 ? null : named(REJECT_CODES, reject - 1, 'reject code'),
  };
}

function named<T extends string>(names: readonly T[], number: number, what: string): T {
  const name = names[number];
  if (name === undefined) throw invalid(`${what} ${number} is unknown`);
  return name;
}

function flagsWithin(known: number, flags: number): number {
  if ((flags & ~known) !== 0) throw invalid(`flags 0x${flags.toString(16)} has unknown bits`);
  return flags;
}

function microseconds(ms: number): number {
  return Math.round(ms * 1000);
}

function milliseconds(reader: ByteReader): number {
  const time = reader.u64();
  if (time >= END_OF_TIME) throw invalid(`time ${time} is too far away, the end is ${END_OF_TIME}`);
  return time / 1000;
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

function invalid(fact: string): Problem {
  return new Problem('file-invalid', fact);
}
