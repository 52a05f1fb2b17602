import t from 'tap';
import { Slab } from '../../relay/store/slab.ts';

t.test('a slab gives each slot once, and none when all are in use', async (t) => {
  const slab = new Slab(2, 1024);
  const first = slab.take();
  const second = slab.take();
  t.ok(first && second && first !== second);
  t.equal(slab.take(), undefined);
  t.same(slab.count(), { free: 0, used: 2, burning: 0 });
});

t.test('burning overwrites the bytes, and the same memory is used again', async (t) => {
  const slab = new Slab(1, 1024);
  const slot = slab.take()!;
  slot.bytes.fill(7);
  slab.burn(slot);
  t.ok(slab.memory()[0]!.every((byte) => byte === 0));
  t.equal(slab.take(), slot);
});

t.test('a pinned slot keeps its bytes until the last pin goes, and is not given out meanwhile', async (t) => {
  const slab = new Slab(1, 1024);
  const slot = slab.take()!;
  slot.bytes.fill(7);
  const releaseOne = slab.pin(slot);
  const releaseTwo = slab.pin(slot);
  slab.burn(slot);
  releaseOne();
  releaseOne();
  t.same(slab.count(), { free: 0, used: 0, burning: 1 });
  t.ok(slot.bytes.subarray(0, 1024).every((byte) => byte === 7));
  t.equal(slab.take(), undefined);
  releaseTwo();
  t.same(slab.count(), { free: 1, used: 0, burning: 0 });
  t.ok(slot.bytes.subarray(0, 1024).every((byte) => byte === 0));
});

t.test('a late release does not wipe the block that came after', async (t) => {
  const slab = new Slab(1, 1024);
  const slot = slab.take()!;
  const release = slab.pin(slot);
  release();
  slab.burn(slot);
  const next = slab.take()!;
  next.bytes.fill(9);
  release();
  t.ok(next.bytes.subarray(0, 1024).every((byte) => byte === 9));
});
