/**
 * The portable engine: noble in plain JavaScript, deterministic from the coins it is given.
 *
 * It is the oracle of every test vector and the engine for browsers. Some sixty times slower than native on a
 * 5 MiB block, it is never on the data path.
 */
import { gcm } from '@noble/ciphers/aes.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { ml_kem768_x25519 } from '@noble/post-quantum/hybrid.js';
import { ml_dsa44, ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { concat, utf8 } from '../bytes.ts';
import { Problem } from '../problem.ts';
import {
  AEAD_TAG_BYTES,
  type Engine,
  ML_DSA_65_SIGNATURE_BYTES,
  type SignatureAlgorithm,
  type SigningKey,
  type SingleKey,
} from './engine.ts';
import { signingSeeds } from './seeds.ts';

/** Coins of one X-Wing encapsulation: 32 bytes for ML-KEM-768, 32 for the ephemeral X25519 key. */
const ENCAPSULATION_COINS = 64;

const LATTICE = { 'ml-dsa-44': ml_dsa44, 'ml-dsa-65': ml_dsa65 } as const;

/** An engine whose every random choice is the next bytes of `coins(length)`. */
export function portableEngine(coins: (length: number) => Uint8Array): Engine {
  const engine: Engine = {
    name: 'portable',
    random: coins,
    sha256: (...parts) => parts.reduce((hash, part) => hash.update(part), sha256.create()).digest(),
    hkdf: (secret, salt, info, length) => hkdf(sha256, secret, salt, info, length),
    aeadSeal(key, iv, aad, plaintext, out) {
      const sealed = gcm(key, iv, aad).encrypt(plaintext);
      out.set(sealed.subarray(0, plaintext.length));
      return sealed.subarray(plaintext.length);
    },
    aeadOpen(key, iv, aad, ciphertext, tag, out) {
      try {
        out.set(gcm(key, iv, aad).decrypt(concat(ciphertext, tag.subarray(0, AEAD_TAG_BYTES))));
        return true;
      } catch {
        out.fill(0);
        return false;
      }
    },
    kemKey(seed) {
      const { publicKey, secretKey } = ml_kem768_x25519.keygen(seed);
      return {
        publicKey,
        decapsulate: (ciphertext) => guarded(() => ml_kem768_x25519.decapsulate(ciphertext, secretKey)),
      };
    },
    encapsulate(publicKey) {
      const { cipherText, sharedSecret } = guarded(() =>
        ml_kem768_x25519.encapsulate(publicKey, coins(ENCAPSULATION_COINS)),
      );
      return { ciphertext: cipherText, sharedSecret };
    },
    signingKey: (seed) => portableSigningKey(engine, seed),
    verify(keys, label, digest, signatures) {
      const lattice = signatures.subarray(0, ML_DSA_65_SIGNATURE_BYTES);
      const curve = signatures.subarray(ML_DSA_65_SIGNATURE_BYTES);
      return (
        verifySingle('ml-dsa-65', keys.mldsa65, label, digest, lattice) &&
        verifySingle('ed25519', keys.ed25519, label, digest, curve)
      );
    },
    singleKey,
    verifySingle,
  };
  return engine;
}

function portableSigningKey(engine: Engine, seed: Uint8Array): SigningKey {
  const seeds = signingSeeds(engine, seed);
  const mldsa65 = singleKey('ml-dsa-65', seeds.mldsa65);
  const curve = singleKey('ed25519', seeds.ed25519);
  return {
    publicKeys: { mldsa65: mldsa65.publicKey, ed25519: curve.publicKey },
    sign: (label, digest) => concat(mldsa65.sign(label, digest), curve.sign(label, digest)),
  };
}

function singleKey(algorithm: SignatureAlgorithm, seed: Uint8Array): SingleKey {
  if (algorithm === 'ed25519') {
    const secret = seed.slice();
    const sign = (label: string, message: Uint8Array) => ed25519.sign(concat(utf8(label), message), secret);
    return { algorithm, publicKey: ed25519.getPublicKey(secret), sign };
  }
  const { publicKey, secretKey } = LATTICE[algorithm].keygen(seed);
  const sign = (label: string, message: Uint8Array) =>
    LATTICE[algorithm].sign(message, secretKey, { context: utf8(label), extraEntropy: false });
  return { algorithm, publicKey, sign };
}

function verifySingle(
  algorithm: SignatureAlgorithm,
  publicKey: Uint8Array,
  label: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const context = utf8(label);
  try {
    if (algorithm === 'ed25519')
      return ed25519.verify(signature, concat(context, message), publicKey, { zip215: false });
    return LATTICE[algorithm].verify(signature, message, publicKey, { context });
  } catch {
    return false;
  }
}

function guarded<T>(action: () => T): T {
  try {
    return action();
  } catch {
    throw new Problem('kem-invalid', 'the X-Wing key or ciphertext is not valid');
  }
}
