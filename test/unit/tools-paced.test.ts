/** A block goes to the wire in pieces of one size, none before its time, and stops with the wire. */
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { PIECE_BYTES } from '../../protocol/slot-plan.ts';
import { writePaced } from '../../tools/lib/paced.ts';

/** A stream that notes the length of each piece and how long after the first it came. */
function makeWire() {
  const pieces: { length: number; afterMs: number }[] = [];
  const beganMs = performance.now();
  const wire = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      pieces.push({ length: chunk.length, afterMs: performance.now() - beganMs });
      done();
    },
  });
  return { wire, pieces };
}

t.test('pieces of one size, each at its place of the grid or later', async (t) => {
  const { wire, pieces } = makeWire();
  writePaced(wire, new Uint8Array(4 * PIECE_BYTES), 80);
  await new Promise((resolve) => wire.on('finish', resolve));
  t.strictSame(
    pieces.map(({ length }) => length),
    [PIECE_BYTES, PIECE_BYTES, PIECE_BYTES, PIECE_BYTES],
  );
  for (const [index, { afterMs }] of pieces.entries()) t.ok(afterMs >= index * 20 - 1, `${index}: ${afterMs} ms`);
});

t.test('what fits a piece goes at once; a wire that breaks gets nothing more', async (t) => {
  const small = makeWire();
  writePaced(small.wire, new Uint8Array(100), 1000);
  await new Promise((resolve) => small.wire.on('finish', resolve));
  t.equal(small.pieces.length, 1);
  const broken = makeWire();
  writePaced(broken.wire, new Uint8Array(4 * PIECE_BYTES), 40);
  broken.wire.destroy();
  await sleep(60);
  t.equal(broken.pieces.length, 1);
});
