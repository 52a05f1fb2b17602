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
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import { concat, utf8 } from '../bytes.ts';
import { Problem } from '../problem.ts';
import {
  AEAD_TAG_BYTES,
  type Engine,
  ML_DSA_65_SIGNATURE_BYTES,
  SIGNATURE_PAIR_BYTES,
  type SigningKey,
} from './engine.ts';
import { signingSeeds } from './seeds.ts';

/** Coins of one X-Wing encapsulation: 32 bytes for ML-KEM-768, 32 for the ephemeral X25519 key. */
const ENCAPSULATION_COINS = 64;

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
      if (signatures.length !== SIGNATURE_PAIR_BYTES) return false;
      const context = utf8(label);
      const lattice = signatures.subarray(0, ML_DSA_65_SIGNATURE_BYTES);
      const curve = signatures.subarray(ML_DSA_65_SIGNATURE_BYTES);
      try {
        return (
          ml_dsa65.verify(lattice, digest, keys.mldsa65, { context }) &&
          ed25519.verify(curve, concat(context, digest), keys.ed25519, { zip215: false })
        );
      } catch {
        return false;
      }
    },
  };
  return engine;
}

function portableSigningKey(engine: Engine, seed: Uint8Array): SigningKey {
  const seeds = signingSeeds(engine, seed);
  const mldsa65 = ml_dsa65.keygen(seeds.mldsa65);
  return {
    publicKeys: { mldsa65: mldsa65.publicKey, ed25519: ed25519.getPublicKey(seeds.ed25519) },
    sign(label, digest) {
      const context = utf8(label);
      const lattice = ml_dsa65.sign(digest, mldsa65.secretKey, { context, extraEntropy: false });
      return concat(lattice, ed25519.sign(concat(context, digest), seeds.ed25519));
    },
  };
}

function guarded<T>(action: () => T): T {
  try {
    return action();
  } catch {
    throw new Problem('kem-invalid', 'the X-Wing key or ciphertext is not valid');
  }
}
