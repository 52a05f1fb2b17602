/** Answers that others published: each engine must give them, or it speaks another language than its name says. */
import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import t from 'tap';
import { canonicalText } from '../../protocol/canonical.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { didOf, identityDigest, identityOf } from '../../protocol/identity.ts';
import { keyIdOf } from '../../protocol/key-id.ts';
import { toHex } from '../../protocol/text.ts';
import { coins } from '../fixtures/protocol.ts';

const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const engines = [nativeEngine, portableEngine(coins('known answers'))];

interface XWing {
  readonly vectors: readonly {
    readonly seed: string;
    readonly eseed: string;
    readonly publicKeySha256: string;
    readonly ciphertextSha256: string;
    readonly sharedSecret: string;
  }[];
}
const xwing = JSON.parse(readFileSync(new URL('xwing.json', import.meta.url), 'utf8')) as XWing;

t.equal(xwing.vectors.length, 3);
for (const [i, vector] of xwing.vectors.entries()) {
  t.test(`X-Wing draft, vector ${i + 1}`, async (t) => {
    const encapsulator = portableEngine(() => hex(vector.eseed));
    const { publicKey } = encapsulator.kemKey(hex(vector.seed));
    const { ciphertext, sharedSecret } = encapsulator.encapsulate(publicKey);
    t.equal(toHex(sharedSecret), vector.sharedSecret);
    for (const engine of engines) {
      t.equal(toHex(engine.sha256(ciphertext)), vector.ciphertextSha256, engine.name);
      const kemKey = engine.kemKey(hex(vector.seed));
      t.equal(toHex(engine.sha256(kemKey.publicKey)), vector.publicKeySha256);
      t.equal(toHex(kemKey.decapsulate(ciphertext)), vector.sharedSecret);
    }
  });
}

for (const engine of engines) {
  t.test(engine.name, async (t) => {
    t.equal(
      toHex(engine.sha256(Buffer.from('ab'), Buffer.from('c'))),
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      'SHA-256 of "abc" (FIPS 180-4)',
    );

    const okm = engine.hkdf(hex('0b'.repeat(22)), hex('000102030405060708090a0b0c'), hex('f0f1f2f3f4f5f6f7f8f9'), 42);
    t.equal(
      toHex(okm),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
      'HKDF-SHA256 (RFC 5869, case 1)',
    );

    const out = new Uint8Array(16);
    const tag = engine.aeadSeal(
      hex('92e11dcdaa866f5ce790fd24501f92509aacf4cb8b1339d50c9c1240935dd08b'),
      hex('ac93a1a6145299bde902f21a'),
      hex('1e0889016f67601c8ebea4943bc23ad6'),
      hex('2d71bcfa914e4ac045b2aa60955fad24'),
      out,
    );
    t.equal(toHex(out), '8995ae2e6df3dbf96fac7b7137bae67f', 'AES-256-GCM (NIST gcmEncryptExtIV256)');
    t.equal(toHex(tag), 'eca5aa77d51d4a0a14d9c51e1da474ab');

    const identitySeed = Uint8Array.from({ length: 32 }, (_, i) => i);
    const { publicKeys } = engine.signingKey(identitySeed);
    const identity = identityOf(publicKeys, 'A'.repeat(43));
    t.equal(
      didOf(identityDigest(identity)),
      'did:paramant:QmaCsVpgdvx2giudTxmutwApVAPS19vzJkGxtWGCbYyvcc',
      'DID of the seed 00..1f',
    );
    t.equal(
      toHex(keyIdOf(engine, engine.kemKey(identitySeed).publicKey)),
      '9f6dbfdc6ab35bbb27126db1c9540617',
      'key id of the seed',
    );
  });
}

t.test('Ed25519 (RFC 8032 section 7.1, test 1)', async (t) => {
  const secret = hex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60');
  t.equal(toHex(ed25519.getPublicKey(secret)), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
  t.equal(
    toHex(ed25519.sign(new Uint8Array(0), secret)),
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  );
});

t.test('canonical JSON (RFC 8785 section 3.2)', async (t) => {
  const sample = String.raw`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]
  }`;
  const canonical = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
  t.equal(canonicalText(JSON.parse(sample)), canonical);
});
