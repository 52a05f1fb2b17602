/** Where readings go: the one interface of every sink, and what it is told. */
import type { FileGroup, TimeQuality } from '../../protocol/frame.ts';
import type { DataRecord, IdleReport } from '../../protocol/payload.ts';

/** Records of one block that were not committed before, in order. */
export interface RecordBatch {
  /** Name of the sender in the roster. */
  readonly sender: string;
  readonly did: string;
  readonly streamId: Uint8Array;
  readonly run: Uint8Array;
  readonly timeQuality: TimeQuality;
  readonly records: readonly DataRecord[];
}

/** One part of a file. */
export interface ChunkDelivery {
  readonly sender: string;
  readonly group: FileGroup;
  /** The sender's word, not sanitised. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A sender fell silent, or is heard again. */
export interface DeviceNote {
  readonly sender: string;
  readonly state: 'stale' | 'live';
  /** For how many slots nothing came. */
  readonly silentSlots: number;
  /** What its last block said, if it was idle. */
  readonly report: IdleReport | null;
}

/**
 * A sink commits: when the promise resolves, the records are where they belong, and a crash will not lose them. It
 * may be given a record again after a crash; (did, stream, run, seq) names it. A sink that cannot now throws
 * `sink-failed`, and the block stays at the relay; `SinkRefusal` says that it never will.
 */
export interface Sink {
  /** Gives how many of the records were not there before. */
  commitRecords(batch: RecordBatch): Promise<number>;
  /** True when the file that the chunk belongs to is whole now. */
  commitChunk(chunk: ChunkDelivery): Promise<boolean>;
  /** Takes the word that a sender fell silent or is heard again. Refuses `sink-failed`, and is asked again. */
  note(note: DeviceNote): Promise<void>;
  /** To be called often; one sentence for each file that is given up as it will never be whole. */
  tend(): readonly string[];
  close(): Promise<void>;
}

/** The sink will never take this. */
export class SinkRefusal extends Error {
  override readonly name = 'SinkRefusal';
}

/** A record as one JSON object: what `--json` lines, files and commands get. */
export function recordJson(batch: RecordBatch, record: DataRecord): object {
  const text = decodeUtf8(record.bytes);
  return {
    sender: batch.sender,
    id: recordId(batch, record.seq),
    time: new Date(record.wallTimeMs).toISOString(),
    timeQuality: batch.timeQuality,
    ...(text === null ? { dataBase64: Buffer.from(record.bytes).toString('base64') } : { data: text }),
  };
}

/** A note as one JSON object. */
export function noteJson({ sender, state, silentSlots, report }: DeviceNote): object {
  return { sender, state, silentSlots, ...(report ?? {}) };
}

/** Names a record for ever: stream, run and sequence number. */
export function recordId(batch: Pick<RecordBatch, 'streamId' | 'run'>, seq: number): string {
  return `${Buffer.from(batch.streamId).toString('hex')}-${Buffer.from(batch.run).toString('hex')}-${seq}`;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
