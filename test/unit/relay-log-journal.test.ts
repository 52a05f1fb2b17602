/** The index of the audit log's transfers against a map, the frames of its journal, and the files of its bundles. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { toHex } from '../../protocol/text.ts';
import { BundleFiles, type KeptBundle } from '../../relay/log/bundle-files.ts';
import { encodeFrame, parseFrame } from '../../relay/log/journal-frame.ts';
import { TransferIndex } from '../../relay/log/transfer-index.ts';
import { writeAt } from '../../relay/store/slot-file.ts';

t.test('the index gives the newest leaf of each transfer, however many there are', async (t) => {
  const index = new TransferIndex();
  const map = new Map<string, number>();
  const ids = Array.from({ length: 5000 }, () => toHex(engine.random(16)));
  // Those end at the same place of any table.
  ids.push(...Array.from({ length: 50 }, (_, i) => `00000007${i.toString(16).padStart(24, '0')}`));
  for (let leaf = 0; leaf < 7000; leaf++) {
    const id = ids[(leaf * 7919) % ids.length]!;
    index.set(id, leaf);
    map.set(id, leaf);
  }
  t.same(
    ids.map((id) => index.get(id)),
    ids.map((id) => map.get(id)),
  );
  t.equal(index.get('f'.repeat(32)), undefined);
  t.equal(index.get(`00000007${'f'.repeat(24)}`), undefined);
  t.equal(index.bytes, 20 * 8192, 'five thousand are in a table of eight');
});

t.test('a frame comes back whole, or not at all', async (t) => {
  const content = engine.random(300);
  const frame = encodeFrame(2 ** 40 + 5, content.subarray(0, 100), content.subarray(100));
  for (const bytes of [frame, Buffer.concat([frame, frame])]) {
    const parsed = parseFrame(bytes)!;
    t.equal(parsed.number, 2 ** 40 + 5);
    t.same(new Uint8Array(parsed.content), content);
  }
  for (let length = 0; length < frame.length; length++) {
    if (parseFrame(frame.subarray(0, length))) t.fail(`of ${frame.length} bytes ${length} are no frame`);
  }
  for (let bit = 0; bit < frame.length * 8; bit++) {
    const flipped = Uint8Array.from(frame);
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    if (parseFrame(flipped)) t.fail(`bit ${bit} is flipped`);
  }
  t.pass('no part of it and no flipped bit is taken');
});

t.test('bundles come back as they were, without what was dropped, and a damaged one does not', async (t) => {
  const folder = t.testdir();
  const options = { folder, number: 1, write: writeAt };
  const files = new BundleFiles(options);
  const bundles: KeptBundle[] = Array.from({ length: 40 }, (_, i) => {
    return { tile: engine.random(8192), packed: engine.random(1000 + i) };
  });
  const size = () => readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  for (const bundle of bundles.slice(0, 38)) files.put(bundle);
  files.drop(0, 16);
  files.drop(16, 20);
  files.drop(32, 34);
  for (const bundle of bundles.slice(38)) files.put(bundle);
  t.equal(files.bytes, size(), 'what was dropped is given back');
  const loaded: KeptBundle[] = [];
  const again = new BundleFiles(options);
  again.load(({ tile, packed }) => loaded.push({ tile, packed }));
  t.equal(again.bytes, size());
  const isDropped = (i: number) => i < 20 || i === 32 || i === 33;
  for (const [i, { tile, packed }] of bundles.entries()) {
    for (const got of [files.bundle(i), again.bundle(i), loaded[i]!]) {
      t.ok(Buffer.from(got.tile).equals(tile) && Buffer.from(files.tile(i)).equals(tile), `hashes of ${i}`);
      t.ok(
        isDropped(i) ? got.packed === null : got.packed && Buffer.from(got.packed).equals(packed!),
        `entries of ${i}`,
      );
    }
  }
  const path = join(folder, 'audit-00000001-0001.bundles');
  const bytes = readFileSync(path);
  bytes[bytes.length - 10]! ^= 1;
  writeFileSync(path, bytes);
  t.throws(() => files.bundle(31), { code: 'log-tile-invalid' });
});
