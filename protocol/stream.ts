/** Streams and runs: the names under which a receiver keeps its place. */
import { sha256 } from '@noble/hashes/sha2.js';
import { ByteWriter, compareBytes, concat, utf8 } from './bytes.ts';

export const STREAM_ID_BYTES = 16;
export const RUN_BYTES = 16;
/** The run before the first one. */
export const NO_RUN: Uint8Array = new Uint8Array(RUN_BYTES);

/** A stream is one sender and one route: the first 16 bytes of SHA-256 over both, recipients in byte order. */
export function streamId(senderDigest: Uint8Array, recipientDigests: readonly Uint8Array[]): Uint8Array {
  const route = recipientDigests.toSorted(compareBytes);
  return sha256(concat(utf8('ghostpipe/stream/v1'), senderDigest, ...route)).slice(0, STREAM_ID_BYTES);
}

/** A run: milliseconds (u64) and 64 random bits. A later run of a stream has the greater milliseconds. */
export function encodeRun(startedMs: number, random: Uint8Array): Uint8Array {
  const run = new Uint8Array(RUN_BYTES);
  new ByteWriter(run).u64(startedMs).bytes(random.subarray(0, 8));
  return run;
}

/** The milliseconds in a run. */
export function runStartedMs(run: Uint8Array): number {
  return Number(new DataView(run.buffer, run.byteOffset, 8).getBigUint64(0));
}
