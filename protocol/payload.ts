/**
 * What stands in a frame's data, by type: a batch of records, the state of an idle source, a chunk of a file.
 *
 *     records    repeated: wallTimeMs u64 | length u32 | bytes
 *     idle       sourceState u8 | backlogRecords u32 | backlogAgeMs u64
 *     fileChunk  nameLength u16 | name (UTF-8) | bytes
 */
import { ByteReader, ByteWriter, utf8 } from './bytes.ts';
import type { TimeQuality } from './frame.ts';
import { Problem } from './problem.ts';

/** Longest record. */
export const MAX_RECORD_BYTES = 1_048_576;
/** Bytes that a record takes besides its own. */
export const RECORD_OVERHEAD_BYTES = 12;
/** Longest file name in UTF-8. */
export const MAX_NAME_BYTES = 255;

const IDLE_BYTES = 13;

/** One reading: opaque bytes and when the sender took it in. */
export interface DataRecord {
  /** Milliseconds since 1970 by the sender's wall clock; `TimeQuality` of the frame says how far to believe it. */
  readonly wallTimeMs: number;
  readonly bytes: Uint8Array;
}

/** A record with its place in the stream: (sender, run, seq) names it for ever. */
export interface NumberedRecord extends DataRecord {
  readonly seq: number;
  readonly timeQuality: TimeQuality;
}

/** What the sender knows of its source, by the number on the wire. */
export const SOURCE_STATES = ['unknown', 'ok', 'silent', 'failed', 'ended'] as const;
export type SourceState = (typeof SOURCE_STATES)[number];

/** What an idle block says instead of readings. */
export interface IdleReport {
  readonly sourceState: SourceState;
  readonly backlogRecords: number;
  readonly backlogAgeMs: number;
}

export interface FileChunk {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Bytes that `record` takes in a batch. */
export function recordBytes(record: DataRecord): number {
  return RECORD_OVERHEAD_BYTES + record.bytes.length;
}

export function encodeRecords(records: readonly DataRecord[]): Uint8Array {
  const out = new Uint8Array(records.reduce((sum, record) => sum + recordBytes(record), 0));
  const writer = new ByteWriter(out);
  for (const record of records) writer.u64(record.wallTimeMs).u32(record.bytes.length).bytes(record.bytes);
  return out;
}

/** Parses a batch that must hold exactly `count` records; refuses `payload-invalid`. */
export function parseRecords(data: Uint8Array, count: number): DataRecord[] {
  if (count > data.length / RECORD_OVERHEAD_BYTES) {
    throw new Problem('payload-invalid', `${data.length} bytes cannot hold ${count} records`);
  }
  const reader = new ByteReader(data, 'payload-invalid');
  const records = Array.from({ length: count }, () => {
    const wallTimeMs = reader.u64();
    const length = reader.u32();
    if (length > MAX_RECORD_BYTES) {
      throw new Problem('payload-invalid', `a record of ${length} bytes is above ${MAX_RECORD_BYTES}`);
    }
    return { wallTimeMs, bytes: reader.bytes(length) };
  });
  reader.end();
  return records;
}

export function encodeIdle(report: IdleReport): Uint8Array {
  const out = new Uint8Array(IDLE_BYTES);
  new ByteWriter(out).u8(SOURCE_STATES.indexOf(report.sourceState)).u32(report.backlogRecords).u64(report.backlogAgeMs);
  return out;
}

/** Parses an idle report; refuses `payload-invalid`. */
export function parseIdle(data: Uint8Array): IdleReport {
  const reader = new ByteReader(data, 'payload-invalid');
  const state = reader.u8();
  const sourceState = SOURCE_STATES[state];
  if (sourceState === undefined)
    throw new Problem('payload-invalid', `source state ${state} is not known to this version`);
  const report = { sourceState, backlogRecords: reader.u32(), backlogAgeMs: reader.u64() };
  reader.end();
  return report;
}

export function encodeFileChunk(chunk: FileChunk): Uint8Array {
  const name = utf8(chunk.name);
  if (name.length < 1 || name.length > MAX_NAME_BYTES) {
    throw new Problem('payload-invalid', `a file name of ${name.length} bytes is not within 1 to ${MAX_NAME_BYTES}`);
  }
  const out = new Uint8Array(2 + name.length + chunk.bytes.length);
  new ByteWriter(out).u16(name.length).bytes(name).bytes(chunk.bytes);
  return out;
}

/** Parses a file chunk; refuses `payload-invalid`. The name is the sender's word: sanitise it before use. */
export function parseFileChunk(data: Uint8Array): FileChunk {
  const reader = new ByteReader(data, 'payload-invalid');
  const length = reader.u16();
  if (length < 1 || length > MAX_NAME_BYTES) {
    throw new Problem('payload-invalid', `a file name of ${length} bytes is not within 1 to ${MAX_NAME_BYTES}`);
  }
  const name = decodeName(reader.bytes(length));
  return { name, bytes: reader.bytes(reader.left) };
}

function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Problem('payload-invalid', 'the file name is not UTF-8');
  }
}
