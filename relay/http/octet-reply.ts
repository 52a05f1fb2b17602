/** Answers of fixed size: a control frame, and a block streamed from its slot. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type ControlItem, encodeControl } from '../../protocol/control.ts';
import type { BlockBytes } from '../store/block-store.ts';

const PIECE_BYTES = 65_536;
export const OCTETS = 'application/octet-stream';

/** Answers with a control frame of `items`, which must fit. */
export function sendControl(reply: FastifyReply, status: 200 | 201, items: readonly ControlItem[]): FastifyReply {
  return reply
    .code(status)
    .header('content-type', OCTETS)
    .send(Buffer.from(encodeControl(items).buffer));
}

/** What an answer streams: a frame, a block, or a range of one. */
type Part = Pick<BlockBytes, 'length' | 'subarray'>;

/** The bytes of `whole` from `first` to `last`, both included, without reading them yet. */
export function rangeOf(whole: Part, first: number, last: number): Part {
  const length = last + 1 - first;
  return {
    length,
    subarray: (start, end) => whole.subarray(first + start, first + Math.min(end, length)),
  };
}

/**
 * Streams `parts` as one body, in pieces and under backpressure. `release` runs at the answer's `close`, when Node
 * holds none of the bytes any more, whether all of it was sent or not. A reader that takes longer than `timeLimitMs` is cut off.
 */
export function streamParts(
  reply: FastifyReply,
  parts: readonly Part[],
  timeLimitMs: number,
  release: () => void,
): FastifyReply {
  const timer = setTimeout(() => reply.raw.destroy(), timeLimitMs);
  reply.raw.once('close', () => {
    clearTimeout(timer);
    release();
  });
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return reply
    .header('content-type', OCTETS)
    .header('content-length', length)
    .send(readableOf(pieces(parts)));
}

/** The same as `Readable.from`, but synchronous: what is there already needs no promise for each piece. */
function readableOf(bytes: Iterator<Uint8Array>): Readable {
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      this.push(bytes.next().value ?? null);
    },
  });
}

function* pieces(parts: readonly Part[]): Generator<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
  }
}
