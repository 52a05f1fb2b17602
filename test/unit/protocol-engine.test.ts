import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import {
  type Engine,
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_KEY_BYTES,
  SIGNATURE_ALGORITHMS,
  SIGNATURE_PAIR_BYTES,
  type SignatureAlgorithm,
} from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { deriveSeed, signingSeeds } from '../../protocol/engine/seeds.ts';
import { coins, flipped, patched, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const portable = portableEngine(coins('engine'));
const PAIRS: [Engine, Engine][] = [
  [nativeEngine, portable],
  [portable, nativeEngine],
];
const LABEL = 'ghostpipe/block/v1';

for (const [one, other] of PAIRS) {
  t.test(`${one.name} makes what ${other.name} opens`, async (t) => {
    t.test('hash and key derivation', async (t) => {
      const parts = [utf8('a'), new Uint8Array(0), utf8('bc')];
      sameBytes(t, one.sha256(...parts), other.sha256(utf8('abc')));
      const derive = (engine: Engine) => engine.hkdf(seed('secret'), seed('salt'), utf8('info'), 64);
      sameBytes(t, derive(one), derive(other));
    });

    t.test('authenticated encryption, in place and across pieces', async (t) => {
      const key = seed('key');
      const iv = seed('iv').subarray(0, 12);
      const aad = utf8('aad');
      for (const length of [0, 1, 262_144, 262_145]) {
        const plain = coins('plain')(length);
        const memory = plain.slice();
        const tag = one.aeadSeal(key, iv, aad, memory, memory);
        t.equal(tag.length, 16);
        const sealed = memory.slice();
        t.ok(other.aeadOpen(key, iv, aad, memory, tag, memory));
        sameBytes(t, memory, plain, `${length} bytes`);
        const out = new Uint8Array(length).fill(7);
        t.notOk(other.aeadOpen(key, iv, aad, sealed, flipped(tag, 0), out), 'a wrong tag');
        sameBytes(t, out, new Uint8Array(length), 'leaves zeros');
        t.notOk(other.aeadOpen(key, iv, utf8('AAD'), sealed, tag, out), 'other associated data');
      }
    });

    t.test('key encapsulation', async (t) => {
      const kemKey = other.kemKey(seed('kem'));
      sameBytes(t, one.kemKey(seed('kem')).publicKey, kemKey.publicKey);
      t.equal(kemKey.publicKey.length, KEM_PUBLIC_KEY_BYTES);
      const { ciphertext, sharedSecret } = one.encapsulate(kemKey.publicKey);
      t.equal(ciphertext.length, KEM_CIPHERTEXT_BYTES);
      sameBytes(t, kemKey.decapsulate(ciphertext), sharedSecret);
      t.notSame(Buffer.from(kemKey.decapsulate(flipped(ciphertext, 5))), Buffer.from(sharedSecret));
    });

    t.test('signatures', async (t) => {
      const signer = one.signingKey(seed('identity'));
      const digest = seed('digest');
      const same = other.signingKey(seed('identity'));
      sameBytes(t, same.publicKeys.mldsa65, signer.publicKeys.mldsa65);
      sameBytes(t, same.publicKeys.ed25519, signer.publicKeys.ed25519);
      const pair = signer.sign(LABEL, digest);
      t.equal(pair.length, SIGNATURE_PAIR_BYTES);
      const verify = (keys = signer.publicKeys, label = LABEL, data = digest, signatures = pair) =>
        other.verify(keys, label, data, signatures);
      t.ok(verify());
      const stranger = other.signingKey(seed('stranger')).publicKeys;
      t.notOk(verify(stranger), 'other keys');
      t.notOk(verify({ ...signer.publicKeys, ed25519: stranger.ed25519 }), 'another Ed25519 key');
      t.notOk(verify({ ...signer.publicKeys, mldsa65: stranger.mldsa65 }), 'another ML-DSA-65 key');
      t.notOk(verify(signer.publicKeys, 'ghostpipe/grant/v1'), 'another label');
      t.notOk(verify(signer.publicKeys, LABEL, flipped(digest, 31)), 'another digest');
      t.notOk(verify(signer.publicKeys, LABEL, digest, flipped(pair, 0)), 'a changed ML-DSA-65 signature');
      t.notOk(verify(signer.publicKeys, LABEL, digest, flipped(pair, 3309)), 'a changed Ed25519 signature');
      t.notOk(verify(signer.publicKeys, LABEL, digest, pair.subarray(1)), 'a short pair');
      t.notOk(verify({ mldsa65: new Uint8Array(3), ed25519: new Uint8Array(32) }), 'a key of another length');
      t.notOk(verify({ ...signer.publicKeys, ed25519: new Uint8Array(32).fill(0xff) }), 'a key that is no point');
    });

    for (const algorithm of Object.keys(SIGNATURE_ALGORITHMS) as SignatureAlgorithm[]) {
      t.test(`${algorithm} by itself, with a label and without`, async (t) => {
        const signer = one.singleKey(algorithm, seed('single'));
        t.equal(signer.algorithm, algorithm);
        sameBytes(t, other.singleKey(algorithm, seed('single')).publicKey, signer.publicKey);
        t.equal(signer.publicKey.length, SIGNATURE_ALGORITHMS[algorithm].publicKeyBytes);
        const message = coins('message')(3000);
        for (const label of ['', LABEL]) {
          const signature = signer.sign(label, message);
          t.equal(signature.length, SIGNATURE_ALGORITHMS[algorithm].signatureBytes);
          const verify = (key = signer.publicKey, under = label, data = message, value = signature) =>
            other.verifySingle(algorithm, key, under, data, value);
          t.ok(verify());
          t.notOk(verify(other.singleKey(algorithm, seed('stranger')).publicKey), 'another key');
          t.notOk(verify(signer.publicKey, `${label}x`), 'another label');
          t.notOk(verify(signer.publicKey, label, flipped(message, 2999)), 'another message');
          t.notOk(verify(signer.publicKey, label, message, flipped(signature, 0)), 'a changed signature');
          t.notOk(verify(signer.publicKey, label, message, signature.subarray(1)), 'a short signature');
          t.notOk(verify(signer.publicKey.subarray(1)), 'a short key');
          t.notOk(verify(Uint8Array.of(...signer.publicKey, 0)), 'a long key');
          for (const byte of [0, 1, 0x7f, 0xff]) {
            const key = new Uint8Array(signer.publicKey.length).fill(byte);
            t.notOk(verify(key), `a key of bytes ${byte}`);
            t.notOk(verify(key, label, message, coins(`${byte}`)(signature.length)), 'and a signature of any');
          }
        }
        t.notOk(other.verifySingle(algorithm, signer.publicKey, '', message, signer.sign(LABEL, message)));
      });
    }

    t.test('a pair is one signature of each algorithm', async (t) => {
      const { sign, publicKeys } = one.signingKey(seed('identity'));
      const pair = sign(LABEL, seed('digest'));
      const verify = (algorithm: SignatureAlgorithm, key: Uint8Array, part: Uint8Array) =>
        other.verifySingle(algorithm, key, LABEL, seed('digest'), part);
      t.ok(verify('ml-dsa-65', publicKeys.mldsa65, pair.subarray(0, 3309)));
      t.ok(verify('ed25519', publicKeys.ed25519, pair.subarray(3309)));
    });
  });
}

for (const engine of [nativeEngine, portable]) {
  t.test(`${engine.name} refuses keys and ciphertexts that are none`, async (t) => {
    const kemKey = engine.kemKey(seed('kem'));
    const { ciphertext } = engine.encapsulate(kemKey.publicKey);
    refuses(t, 'kem-invalid', () => kemKey.decapsulate(ciphertext.subarray(1)), 'a short ciphertext');
    refuses(t, 'kem-invalid', () => engine.encapsulate(kemKey.publicKey.subarray(1)), 'a short key');
    refuses(t, 'kem-invalid', () => engine.encapsulate(patched(kemKey.publicKey, 0, 0xff, 0xff)), 'modulus check');
    const zero = new Uint8Array(32);
    refuses(t, 'kem-invalid', () => kemKey.decapsulate(patched(ciphertext, 1088, ...zero)), 'a share of small order');
    refuses(t, 'kem-invalid', () => engine.encapsulate(patched(kemKey.publicKey, 1184, ...zero)), 'a key of it');
  });
}

t.test('native draws from the system, portable from its coins', async (t) => {
  t.equal(nativeEngine.random(16).length, 16);
  t.notSame(nativeEngine.random(16), nativeEngine.random(16));
  const again = () => portableEngine(coins('again'));
  sameBytes(t, again().random(16), again().random(16));
  sameBytes(
    t,
    again().encapsulate(nativeEngine.kemKey(seed('kem')).publicKey).ciphertext,
    again().encapsulate(nativeEngine.kemKey(seed('kem')).publicKey).ciphertext,
  );
});

t.test('each purpose has its own seed', async (t) => {
  const identity = seed('identity');
  const { mldsa65, ed25519 } = signingSeeds(nativeEngine, identity);
  sameBytes(t, mldsa65, deriveSeed(portable, identity, 'ghostpipe/seed-ml-dsa-65/v1'));
  sameBytes(t, ed25519, deriveSeed(portable, identity, 'ghostpipe/seed-ed25519/v1'));
  t.notSame(mldsa65, ed25519);
});
