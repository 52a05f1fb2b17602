/**
 * What stands in a frame's data, by type: a batch of records, the state of an idle source, a chunk of a file.
 *
 *     records    repeated: offset u32 | wallTimeMs u64 | length u32 | bytes
 *     idle       sourceState u8 | backlogRecords u32 | backlogAgeMs u64
 *     fileChunk  nameLength u16 | name (UTF-8) | bytes
 */
import { ByteReader, ByteWriter, utf8 } from './bytes.ts';
import { Problem } from './problem.ts';

/** Longest record. */
export const MAX_RECORD_BYTES = 1_048_576;
/** Bytes that a record takes besides its own. */
export const RECORD_OVERHEAD_BYTES = 16;
/** Longest file name in UTF-8. */
export const MAX_NAME_BYTES = 255;

const IDLE_BYTES = 13;

/** One reading: opaque bytes, when the sender took it in, and its place in the run. */
export interface DataRecord {
  /** (sender, stream, run, seq) names a record for ever. */
  readonly seq: number;
  /** Milliseconds since 1970 by the sender's wall clock; `TimeQuality` of the frame says how far to believe it. */
  readonly wallTimeMs: number;
  readonly bytes: Uint8Array;
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

/**
 * A batch of records in ascending order of `seq`. Each stands with its distance from the first, which is the frame's
 * `firstRecord`, so that one block can hold the newest readings and, behind a gap, older ones.
 */
export function encodeRecords(records: readonly DataRecord[]): Uint8Array {
  const out = new Uint8Array(records.reduce((sum, record) => sum + recordBytes(record), 0));
  const writer = new ByteWriter(out);
  for (const { seq, wallTimeMs, bytes } of records) {
    writer
      .u32(seq - records[0]!.seq)
      .u64(wallTimeMs)
      .u32(bytes.length)
      .bytes(bytes);
  }
  return out;
}

/** Parses a batch of exactly `count` records from `firstRecord` on; refuses `payload-invalid`. */
export function parseRecords(data: Uint8Array, firstRecord: number, count: number): DataRecord[] {
  if (count > data.length / RECORD_OVERHEAD_BYTES) {
    throw new Problem('payload-invalid', `${data.length} bytes cannot hold ${count} records`);
  }
  const reader = new ByteReader(data, 'payload-invalid');
  const records: DataRecord[] = [];
  for (let last = -1; records.length < count; ) {
    const offset = reader.u32();
    if (offset <= last || (last === -1 && offset !== 0)) {
      throw new Problem('payload-invalid', `record ${records.length} has offset ${offset} behind ${last}`);
    }
    last = offset;
    const seq = firstRecord + offset;
    if (!Number.isSafeInteger(seq)) throw new Problem('payload-invalid', `record ${records.length} is above 2^53 - 1`);
    records.push({ seq, wallTimeMs: reader.u64(), bytes: recordBody(reader) });
  }
  reader.end();
  return records;
}

function recordBody(reader: ByteReader): Uint8Array {
  const length = reader.u32();
  if (length > MAX_RECORD_BYTES) {
    throw new Problem('payload-invalid', `a record of ${length} bytes is above ${MAX_RECORD_BYTES}`);
  }
  return reader.bytes(length);
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
