/**
 * The native engine: node:crypto (OpenSSL 3.5) for everything, randomness from the operating system.
 *
 * X-Wing is composed here from ML-KEM-768 and X25519 as the draft says, since OpenSSL has only the parts; its
 * output equals noble's `ml_kem768_x25519` and the draft's vectors.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hash,
  hkdfSync,
  type KeyObject,
  randomFillSync,
  sign,
  verify,
} from 'node:crypto';
import { concat, release, utf8 } from '../bytes.ts';
import { Problem } from '../problem.ts';
import {
  AEAD_TAG_BYTES,
  type Encapsulation,
  type Engine,
  KEM_CIPHERTEXT_BYTES,
  KEM_PUBLIC_KEY_BYTES,
  type KemKey,
  ML_DSA_65_SIGNATURE_BYTES,
  SIGNATURE_ALGORITHMS,
  SIGNATURE_PAIR_BYTES,
  type SignatureAlgorithm,
  type SigningKey,
  type SingleKey,
  type VerifyingKeys,
} from './engine.ts';
import { signingSeeds } from './seeds.ts';

const ML_KEM_PUBLIC_BYTES = 1184;
const ML_KEM_CIPHERTEXT_BYTES = 1088;
type Algorithm = 'ml-kem-768' | 'x25519' | SignatureAlgorithm;

/** The six bytes `\.//^\` (draft-connolly-cfrg-xwing-kem section 5.3). */
const XWING_LABEL = Buffer.from('5c2e2f2f5e5c', 'hex');

/** AES-GCM runs in pieces of this size, so that sealing in place needs no second 5 MiB. */
const PIECE = 262_144;

/** Input up to this length is put together here before it is hashed. */
const SHORT_BYTES = 4096;
const SHORT = new Uint8Array(SHORT_BYTES);

export const nativeEngine: Engine = {
  name: 'native',
  random: (length) => randomFillSync(new Uint8Array(length)),
  sha256,
  hkdf: (secret, salt, info, length) => new Uint8Array(hkdfSync('sha256', secret, salt, info, length)),
  aeadSeal(key, iv, aad, plaintext, out) {
    const cipher = createCipheriv('aes-256-gcm', key, iv);
    cipher.setAAD(aad);
    transform(cipher, plaintext, out);
    cipher.final();
    return cipher.getAuthTag();
  },
  aeadOpen(key, iv, aad, ciphertext, tag, out) {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: AEAD_TAG_BYTES });
    decipher.setAAD(aad);
    decipher.setAuthTag(tag);
    transform(decipher, ciphertext, out);
    try {
      decipher.final();
      return true;
    } catch {
      out.fill(0);
      return false;
    }
  },
  kemKey,
  encapsulate: encapsulateXWing,
  signingKey,
  verify: verifyPair,
  singleKey,
  verifySingle,
};

function sha256(...parts: Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length <= SHORT_BYTES) return shortSha256(parts, length);
  const hashing = createHash('sha256');
  for (const part of parts) hashing.update(part);
  return hashing.digest();
}

/**
 * In one call of OpenSSL, and without a piece of memory outside the heap for each digest: a third of the time, and the
 * audit log hashes a million short parts.
 */
function shortSha256(parts: readonly Uint8Array[], length: number): Uint8Array {
  let at = 0;
  for (const part of parts) {
    SHORT.set(part, at);
    at += part.length;
  }
  const input = SHORT.subarray(0, length);
  const digest = hash('sha256', input, 'binary');
  input.fill(0); // it may have been a secret
  return Buffer.from(digest, 'latin1');
}

function transform(cipher: { update(data: Uint8Array): Buffer }, input: Uint8Array, out: Uint8Array): void {
  for (let at = 0; at < input.length; at += PIECE) {
    const piece = cipher.update(input.subarray(at, at + PIECE));
    out.set(piece, at);
    release(piece);
  }
}

/** `raw-seed`: the seed of FIPS 203 and 204; `raw-private`: the scalar or seed of RFC 7748 and 8032. */
function privateKey(asymmetricKeyType: Algorithm, format: 'raw-seed' | 'raw-private', key: Uint8Array): KeyObject {
  return createPrivateKey({ key, format, asymmetricKeyType } as never);
}

function publicKey(asymmetricKeyType: Algorithm, key: Uint8Array): KeyObject {
  return createPublicKey({ key, format: 'raw-public', asymmetricKeyType } as never);
}

function rawPublic(key: KeyObject): Uint8Array {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return new Uint8Array(half.export({ format: 'raw-public' } as never) as unknown as Buffer);
}

function kemKey(seed: Uint8Array): KemKey {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest();
  const mlKem = privateKey('ml-kem-768', 'raw-seed', expanded.subarray(0, 64));
  const x25519 = privateKey('x25519', 'raw-private', expanded.subarray(64));
  const x25519Public = rawPublic(x25519);
  expanded.fill(0);
  return {
    publicKey: concat(rawPublic(mlKem), x25519Public),
    decapsulate(ciphertext) {
      if (ciphertext.length !== KEM_CIPHERTEXT_BYTES) throw kemInvalid('ciphertext', ciphertext.length);
      const x25519Part = ciphertext.subarray(ML_KEM_CIPHERTEXT_BYTES);
      const mlKemSecret = decapsulate(mlKem, ciphertext.subarray(0, ML_KEM_CIPHERTEXT_BYTES));
      const x25519Secret = exchange(x25519, publicKey('x25519', x25519Part));
      return combine(mlKemSecret, x25519Secret, x25519Part, x25519Public);
    },
  };
}

function encapsulateXWing(recipient: Uint8Array): Encapsulation {
  if (recipient.length !== KEM_PUBLIC_KEY_BYTES) throw kemInvalid('public key', recipient.length);
  const x25519Recipient = recipient.subarray(ML_KEM_PUBLIC_BYTES);
  const mlKem = encapsulateMlKem(recipient.subarray(0, ML_KEM_PUBLIC_BYTES));
  const ephemeral = generateKeyPairSync('x25519');
  const x25519Part = rawPublic(ephemeral.publicKey);
  const x25519Secret = exchange(ephemeral.privateKey, publicKey('x25519', x25519Recipient));
  return {
    ciphertext: concat(mlKem.ciphertext, x25519Part),
    sharedSecret: combine(mlKem.sharedKey, x25519Secret, x25519Part, x25519Recipient),
  };
}

function encapsulateMlKem(recipient: Uint8Array): { ciphertext: Buffer; sharedKey: Buffer } {
  try {
    return encapsulate(publicKey('ml-kem-768', recipient));
  } catch {
    throw new Problem('kem-invalid', 'the ML-KEM-768 public key fails the modulus check of FIPS 203 section 7.2');
  }
}

function exchange(privateKey: KeyObject, publicKey: KeyObject): Uint8Array {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    throw new Problem('kem-invalid', 'the X25519 share is a point of small order');
  }
}

function combine(mlKem: Uint8Array, x25519: Uint8Array, ciphertext: Uint8Array, recipient: Uint8Array): Uint8Array {
  const hash = createHash('sha3-256').update(mlKem).update(x25519).update(ciphertext).update(recipient);
  return new Uint8Array(hash.update(XWING_LABEL).digest());
}

function kemInvalid(what: string, length: number): Problem {
  return new Problem('kem-invalid', `an X-Wing ${what} does not have ${length} bytes`);
}

function signingKey(seed: Uint8Array): SigningKey {
  const seeds = signingSeeds(nativeEngine, seed);
  const mldsa65 = singleKey('ml-dsa-65', seeds.mldsa65);
  const ed25519 = singleKey('ed25519', seeds.ed25519);
  return {
    publicKeys: { mldsa65: mldsa65.publicKey, ed25519: ed25519.publicKey },
    sign: (label, digest) => concat(mldsa65.sign(label, digest), ed25519.sign(label, digest)),
  };
}

function verifyPair(keys: VerifyingKeys, label: string, digest: Uint8Array, signatures: Uint8Array): boolean {
  if (signatures.length !== SIGNATURE_PAIR_BYTES) return false;
  const lattice = signatures.subarray(0, ML_DSA_65_SIGNATURE_BYTES);
  const curve = signatures.subarray(ML_DSA_65_SIGNATURE_BYTES);
  return (
    verifySingle('ml-dsa-65', keys.mldsa65, label, digest, lattice) &&
    verifySingle('ed25519', keys.ed25519, label, digest, curve)
  );
}

function singleKey(algorithm: SignatureAlgorithm, seed: Uint8Array): SingleKey {
  const key = privateKey(algorithm, algorithm === 'ed25519' ? 'raw-private' : 'raw-seed', seed);
  return {
    algorithm,
    publicKey: rawPublic(key),
    sign(label, message) {
      const context = utf8(label);
      if (algorithm === 'ed25519') return new Uint8Array(sign(null, concat(context, message), key));
      return new Uint8Array(sign(null, message, { key, context } as never));
    },
  };
}

function verifySingle(
  algorithm: SignatureAlgorithm,
  raw: Uint8Array,
  label: string,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { publicKeyBytes, signatureBytes } = SIGNATURE_ALGORITHMS[algorithm];
  // OpenSSL passes over what follows a key, and takes any bytes of the right length for one: it then answers false.
  if (raw.length !== publicKeyBytes || signature.length !== signatureBytes) return false;
  const context = utf8(label);
  const key = publicKey(algorithm, raw);
  if (algorithm === 'ed25519') return verify(null, concat(context, message), key, signature);
  return verify(null, message, { key, context } as never, signature);
}
