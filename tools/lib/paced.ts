/** Writing a block to the wire in pieces on a fixed grid, so that nothing of how it was made shows in its timing. */
import type { Writable } from 'node:stream';
import { PIECE_BYTES } from '../../protocol/slot-plan.ts';

/** Writes `bytes` over `windowMs` and ends the stream; stops when it is destroyed. A piece that is late goes at once. */
export function writePaced(out: Writable, bytes: Uint8Array, windowMs: number): void {
  const startMs = performance.now();
  const count = Math.ceil(bytes.length / PIECE_BYTES);
  const write = (index: number): void => {
    if (out.destroyed) return;
    const piece = bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES);
    if (index === count - 1) {
      out.end(piece);
      return;
    }
    out.write(piece);
    const nextMs = startMs + ((index + 1) * windowMs) / count;
    setTimeout(write, Math.max(0, Math.ceil(nextMs - performance.now())), index + 1);
  };
  write(0);
}
