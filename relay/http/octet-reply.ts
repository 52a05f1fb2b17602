/** Answers of fixed size: a control frame, and a block streamed from its slot. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { type ControlItem, encodeControl } from '../../protocol/control.ts';
import { PIECE_BYTES } from '../../protocol/slot-plan.ts';
import type { BlockBytes } from '../store/block-store.ts';

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

export interface StreamOptions {
  /** A reader that takes longer is cut off. */
  readonly timeLimitMs: number;
  /** Pieces go out on a fixed grid over so many ms; 0 for as fast as they are taken. */
  readonly windowMs?: number;
  /** Runs at the answer's `close`, when Node holds none of the bytes any more, whether all of it was sent or not. */
  readonly release?: () => void;
}

/** Streams `parts` as one body, in pieces and under backpressure. */
export function streamParts(
  reply: FastifyReply,
  parts: readonly Part[],
  { timeLimitMs, windowMs = 0, release = () => {} }: StreamOptions,
): FastifyReply {
  const timer = setTimeout(() => reply.raw.destroy(), timeLimitMs);
  reply.raw.once('close', () => {
    clearTimeout(timer);
    release();
  });
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const count = parts.reduce((sum, part) => sum + Math.ceil(part.length / PIECE_BYTES), 0);
  return reply
    .header('content-type', OCTETS)
    .header('content-length', length)
    .send(readableOf(pieces(parts), windowMs / count));
}

/**
 * The same as `Readable.from`, but synchronous: what is there already needs no promise for each piece. Each piece
 * waits for its place on the grid of `stepMs`.
 */
function readableOf(bytes: Iterator<Uint8Array>, stepMs: number): Readable {
  let [startMs, given] = [0, 0];
  let timer: NodeJS.Timeout | undefined;
  const give = (stream: Readable): void => {
    given += 1;
    stream.push(bytes.next().value ?? null);
  };
  return new Readable({
    highWaterMark: PIECE_BYTES,
    read() {
      if (given === 0) startMs = performance.now();
      const waitMs = startMs + given * stepMs - performance.now();
      if (stepMs === 0 || waitMs <= 0) give(this);
      else timer = setTimeout(() => give(this), Math.ceil(waitMs));
    },
    destroy(error, done) {
      clearTimeout(timer);
      done(error);
    },
  });
}

function* pieces(parts: readonly Part[]): Generator<Uint8Array> {
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE_BYTES) yield part.subarray(at, at + PIECE_BYTES);
  }
}
