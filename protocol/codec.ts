/** Compression of a frame's data: zstd (RFC 8878), bounded on the way back. */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Codec } from './frame.ts';
import { Problem } from './problem.ts';

/** Level 3 gives most of the gain for a third of the time of level 9 on sensor text. */
const LEVEL = 3;

/**
 * `plain` as it is when it takes at most `room` bytes, else compressed, which need not fit either. A block is full
 * in any case: compressing what fits would save nothing, and take a time that depends on the content.
 */
export function encode(plain: Uint8Array, room: number): { codec: Codec; data: Uint8Array } {
  if (plain.length <= room) return { codec: 'identity', data: plain };
  return { codec: 'zstd', data: zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: LEVEL } }) };
}

/** The `plainBytes` bytes behind `data`; refuses `payload-invalid` without ever allocating more than that. */
export function decode(codec: Codec, data: Uint8Array, plainBytes: number): Uint8Array {
  const plain = codec === 'zstd' ? decompress(data, plainBytes) : data;
  if (plain.length !== plainBytes) {
    throw new Problem('payload-invalid', `data decodes to ${plain.length} bytes, the frame says ${plainBytes}`);
  }
  return plain;
}

/** What zlib returns with `info`, which its types leave out. `bytesWritten` is how much of the input it consumed. */
interface Unpacked {
  readonly buffer: Uint8Array;
  readonly engine: { readonly bytesWritten: number };
}

function decompress(data: Uint8Array, plainBytes: number): Uint8Array {
  const { buffer, engine } = unpack(data, plainBytes);
  if (engine.bytesWritten !== data.length) {
    throw new Problem('payload-invalid', `the zstd frame ends at byte ${engine.bytesWritten} of ${data.length}`);
  }
  return buffer;
}

function unpack(data: Uint8Array, plainBytes: number): Unpacked {
  try {
    const options = { maxOutputLength: Math.max(1, plainBytes), info: true };
    return zstdDecompressSync(data, options) as unknown as Unpacked;
  } catch {
    throw new Problem('payload-invalid', `data is not zstd, or longer than the ${plainBytes} bytes the frame says`);
  }
}
