import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { openSealedBundle, sealBundle, sealedBundleKey, sealedLength } from '../../protocol/sealed-bundle.ts';
import { coins, flipped, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const auditor = engine.kemKey(seed('auditor'));
const PATH = 'tile/entries/000';
const BUNDLE = new Uint8Array(1000).fill(7);

t.test('the auditor opens what was sealed, and so does who sealed it, with either engine', async (t) => {
  const portable = portableEngine(coins('sealer'));
  for (const [by, to] of [
    [engine, portable],
    [portable, engine],
  ] as const) {
    const { sealed, key } = sealBundle(by, auditor.publicKey, PATH, BUNDLE);
    sameBytes(t, openSealedBundle(to, key, PATH, sealed), BUNDLE);
    sameBytes(t, sealedBundleKey(to, to.kemKey(seed('auditor')), sealed), key);
  }
});

t.test('the length tells nothing of what is inside, up to 64 KiB', async (t) => {
  const lengths = [0, 1, 1000, 65_532].map((length) => {
    const { sealed } = sealBundle(engine, auditor.publicKey, PATH, new Uint8Array(length));
    const key = sealedBundleKey(engine, auditor, sealed);
    t.equal(openSealedBundle(engine, key, PATH, sealed).length, length);
    t.equal(sealed.length, sealedLength(length));
    return sealed.length;
  });
  t.same(new Set(lengths), new Set([1140 + 65_536 + 16]));
  t.equal(sealedLength(65_533), 1140 + 2 * 65_536 + 16);
});

t.test('another key, another place, any change, and what is no seal', async (t) => {
  const { sealed, key } = sealBundle(engine, auditor.publicKey, PATH, BUNDLE);
  refuses(t, 'log-sealed', () => sealedBundleKey(engine, engine.kemKey(seed('somebody')), sealed));
  refuses(t, 'log-tile-invalid', () => openSealedBundle(engine, key, 'tile/entries/001', sealed));
  refuses(t, 'log-tile-invalid', () => openSealedBundle(engine, seed('another key'), PATH, sealed));
  for (const at of [1140, 40_000, sealed.length - 1]) {
    refuses(t, 'log-tile-invalid', () => openSealedBundle(engine, key, PATH, flipped(sealed, at)));
  }
  const changed = flipped(sealed, 30);
  refuses(t, 'log-tile-invalid', () =>
    openSealedBundle(engine, sealedBundleKey(engine, auditor, changed), PATH, changed),
  );
  for (const none of [new Uint8Array(0), sealed.subarray(0, 1140), flipped(sealed, 0)]) {
    refuses(t, 'log-tile-invalid', () => sealedBundleKey(engine, auditor, none));
    refuses(t, 'log-tile-invalid', () => openSealedBundle(engine, key, PATH, none));
  }
  refuses(t, 'kem-invalid', () => sealBundle(engine, new Uint8Array(3), PATH, BUNDLE));
});
