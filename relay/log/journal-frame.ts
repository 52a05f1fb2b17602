/**
 * A frame of the log journal: length u32 | number u64 | CRC-32 of length, number and content u32 | content. The check
 * finds what a process did not write to its end; who may write the file could make any check.
 */
import { crc32 } from 'node:zlib';

export const FRAME_HEAD_BYTES = 16;
const CHECK_AT = 12;

export interface Frame {
  readonly number: number;
  /** A view, not a copy. */
  readonly content: Uint8Array;
}

/** The frame of `parts` in order. */
export function encodeFrame(number: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const frame = Buffer.allocUnsafe(FRAME_HEAD_BYTES + length);
  frame.writeUInt32BE(length, 0);
  frame.writeUInt32BE(Math.floor(number / 2 ** 32), 4);
  frame.writeUInt32BE(number % 2 ** 32, 8);
  let at = FRAME_HEAD_BYTES;
  for (const part of parts) {
    frame.set(part, at);
    at += part.length;
  }
  frame.writeUInt32BE(checkOf(frame), CHECK_AT);
  return frame;
}

/** The frame at the start of `bytes`; undefined unless it is whole. */
export function parseFrame(bytes: Uint8Array): Frame | undefined {
  if (bytes.length < FRAME_HEAD_BYTES) return undefined;
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const end = FRAME_HEAD_BYTES + view.readUInt32BE(0);
  if (end > bytes.length) return undefined;
  const frame = view.subarray(0, end);
  if (checkOf(frame) !== frame.readUInt32BE(CHECK_AT)) return undefined;
  const number = frame.readUInt32BE(4) * 2 ** 32 + frame.readUInt32BE(8);
  return { number, content: bytes.subarray(FRAME_HEAD_BYTES, end) };
}

function checkOf(frame: Uint8Array): number {
  return crc32(frame.subarray(FRAME_HEAD_BYTES), crc32(frame.subarray(0, CHECK_AT)));
}
