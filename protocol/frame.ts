/**
 * The frame: what stands encrypted in a block's body. Always fills the body; the rest of `data` is zero.
 *
 * All integers are big-endian; docs/formats.md has the table of offsets.
 */
import { ByteReader, ByteWriter, isZero } from './bytes.ts';
import { SIGNATURE_PAIR_BYTES } from './engine/engine.ts';
import { Problem } from './problem.ts';

/** What a block carries, by its number on the wire. */
export const FRAME_TYPES = [
  'idle',
  'records',
  'fileChunk',
  'firmwareChunk',
  'firmwareReport',
  'receipt',
  'selftest',
] as const;
export type FrameType = (typeof FRAME_TYPES)[number];

/** How `data` was made shorter, by its number on the wire. */
export const CODECS = ['identity', 'zstd'] as const;
export type Codec = (typeof CODECS)[number];

/** How far a wall clock may be believed. Nothing that decides on security reads it. */
export const TIME_QUALITIES = ['none', 'build', 'operator', 'ntp', 'ptp', 'nts'] as const;
export type TimeQuality = (typeof TIME_QUALITIES)[number];

/** Bytes of all fields in front of `data`. */
export const FRAME_FIELDS_BYTES = 227;
/** What a frame needs besides its data. */
export const FRAME_OVERHEAD_BYTES: number = FRAME_FIELDS_BYTES + SIGNATURE_PAIR_BYTES;
/** Data never grows beyond this when it is decompressed. */
export const MAX_PLAIN_BYTES = 16_777_216;

/** Place of a chunk in the file that it belongs to; all zero when the frame is no chunk. */
export interface FileGroup {
  readonly id: Uint8Array;
  readonly index: number;
  readonly count: number;
  /** SHA-256 of the whole file's content. */
  readonly wholeSha256: Uint8Array;
}

export interface FrameFields {
  /** SHA-256 digest inside the sender's DID, 32 bytes. */
  readonly senderDigest: Uint8Array;
  /** Generation of the sender's newest key statement. */
  readonly keyGeneration: number;
  readonly streamId: Uint8Array;
  readonly run: Uint8Array;
  /** The run before this one of the same stream; zero when the sender has no memory of one. */
  readonly previousRun: Uint8Array;
  /** Contiguous inside a run from 0, idle blocks included. */
  readonly blockSeq: number;
  /** Lowest sequence number of the records in the block; the next one to come when it has none. */
  readonly firstRecord: number;
  readonly recordCount: number;
  /** Milliseconds since 1970 by the sender's wall clock. */
  readonly wallTimeMs: number;
  readonly timeQuality: TimeQuality;
  /** Milliseconds since the run began by the sender's monotonic clock. */
  readonly monotonicMs: number;
  /** Wall time in ms after which the sender has no more use for delivery; 0 for never. Advice to the sink. */
  readonly expiryMs: number;
  readonly ackSeed: Uint8Array;
  readonly type: FrameType;
  readonly codec: Codec;
  /** Length of `data` after decompression. */
  readonly plainBytes: number;
  readonly group: FileGroup;
}

export interface Frame extends FrameFields {
  /** The data as it stands in the frame, still encoded by `codec`. A view, not a copy. */
  readonly data: Uint8Array;
  readonly signatures: Uint8Array;
}

/** The group of a frame that is no chunk. */
export const NO_GROUP: FileGroup = { id: new Uint8Array(16), index: 0, count: 0, wholeSha256: new Uint8Array(32) };

/** How many bytes of data a frame of `frameBytes` takes. */
export function frameCapacity(frameBytes: number): number {
  return frameBytes - FRAME_OVERHEAD_BYTES;
}

/** Writes fields, data and zero padding into `frame`; the last 3373 bytes are left for the signatures. */
export function writeFrame(frame: Uint8Array, fields: FrameFields, data: Uint8Array): void {
  const room = frameCapacity(frame.length);
  if (data.length > room)
    throw new Problem('payload-invalid', `data has ${data.length} bytes, the frame takes ${room}`);
  const writer = new ByteWriter(frame)
    .bytes(fields.senderDigest)
    .u32(fields.keyGeneration)
    .bytes(fields.streamId)
    .bytes(fields.run)
    .bytes(fields.previousRun)
    .u64(fields.blockSeq)
    .u64(fields.firstRecord)
    .u32(fields.recordCount)
    .u64(fields.wallTimeMs)
    .u8(TIME_QUALITIES.indexOf(fields.timeQuality))
    .u64(fields.monotonicMs)
    .u64(fields.expiryMs)
    .bytes(fields.ackSeed)
    .u8(FRAME_TYPES.indexOf(fields.type))
    .u8(CODECS.indexOf(fields.codec))
    .u32(data.length)
    .u32(fields.plainBytes)
    .bytes(fields.group.id)
    .u32(fields.group.index)
    .u32(fields.group.count)
    .bytes(fields.group.wholeSha256)
    .bytes(data);
  writer.zeros(frame.length - SIGNATURE_PAIR_BYTES - writer.at);
}

/** The part of a frame that the signatures cover. */
export function signedPart(frame: Uint8Array): Uint8Array {
  return frame.subarray(0, frame.length - SIGNATURE_PAIR_BYTES);
}

/** Parses a whole frame; refuses `frame-invalid`, `padding-invalid` and `type-unsupported`. */
export function parseFrame(frame: Uint8Array): Frame {
  const reader = new ByteReader(frame, 'frame-invalid');
  const senderDigest = reader.bytes(32);
  const keyGeneration = reader.u32();
  const streamId = reader.bytes(16);
  const run = reader.bytes(16);
  const previousRun = reader.bytes(16);
  const blockSeq = reader.u64();
  const firstRecord = reader.u64();
  const recordCount = reader.u32();
  const wallTimeMs = reader.u64();
  const timeQuality = named(TIME_QUALITIES, reader.u8(), 'frame-invalid', 'time quality');
  const monotonicMs = reader.u64();
  const expiryMs = reader.u64();
  const ackSeed = reader.bytes(32);
  const type = named(FRAME_TYPES, reader.u8(), 'type-unsupported', 'type');
  const codec = named(CODECS, reader.u8(), 'type-unsupported', 'codec');
  const dataBytes = reader.u32();
  const plainBytes = reader.u32();
  const group = { id: reader.bytes(16), index: reader.u32(), count: reader.u32(), wholeSha256: reader.bytes(32) };
  if (plainBytes > MAX_PLAIN_BYTES) {
    throw new Problem('frame-invalid', `plain length ${plainBytes} is above ${MAX_PLAIN_BYTES}`);
  }
  if (codec === 'identity' && plainBytes !== dataBytes) {
    throw new Problem(
      'frame-invalid',
      `plain length ${plainBytes} differs from data length ${dataBytes} without a codec`,
    );
  }
  const data = reader.bytes(dataBytes);
  const padding = reader.bytes(Math.max(0, reader.left - SIGNATURE_PAIR_BYTES));
  if (!isZero(padding)) throw new Problem('padding-invalid', 'a byte of the padding is not zero');
  const signatures = reader.bytes(SIGNATURE_PAIR_BYTES);
  return {
    senderDigest,
    keyGeneration,
    streamId,
    run,
    previousRun,
    blockSeq,
    firstRecord,
    recordCount,
    wallTimeMs,
    timeQuality,
    monotonicMs,
    expiryMs,
    ackSeed,
    type,
    codec,
    plainBytes,
    group,
    data,
    signatures,
  };
}

function named<T extends readonly string[]>(
  names: T,
  index: number,
  code: 'frame-invalid' | 'type-unsupported',
  what: string,
): T[number] {
  const name = names[index];
  if (name === undefined) throw new Problem(code, `${what} ${index} is not known to this version`);
  return name;
}
