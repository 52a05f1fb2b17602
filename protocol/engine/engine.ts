/**
 * The cryptographic engine: everything random or secret that the formats need, behind one interface.
 *
 * Two engines exist and open what the other makes: *native* (node:crypto; the data path) and *portable* (noble;
 * deterministic from given coins; test vectors, browsers). Formats never call a primitive themselves.
 */

export const KEM_PUBLIC_KEY_BYTES = 1216;
export const KEM_CIPHERTEXT_BYTES = 1120;
export const ML_DSA_65_PUBLIC_KEY_BYTES = 1952;
export const ML_DSA_65_SIGNATURE_BYTES = 3309;
export const ED25519_PUBLIC_KEY_BYTES = 32;
export const ED25519_SIGNATURE_BYTES = 64;
/** ML-DSA-65 signature followed by the Ed25519 signature. */
export const SIGNATURE_PAIR_BYTES: number = ML_DSA_65_SIGNATURE_BYTES + ED25519_SIGNATURE_BYTES;
export const AEAD_TAG_BYTES = 16;
export const SEED_BYTES = 32;

/** Signature algorithms by themselves, with the lengths of their raw public keys and signatures. */
export const SIGNATURE_ALGORITHMS = {
  ed25519: { publicKeyBytes: ED25519_PUBLIC_KEY_BYTES, signatureBytes: ED25519_SIGNATURE_BYTES },
  'ml-dsa-44': { publicKeyBytes: 1312, signatureBytes: 2420 },
  'ml-dsa-65': { publicKeyBytes: ML_DSA_65_PUBLIC_KEY_BYTES, signatureBytes: ML_DSA_65_SIGNATURE_BYTES },
} as const;
export type SignatureAlgorithm = keyof typeof SIGNATURE_ALGORITHMS;

/** The two verification keys of an identity: ML-DSA-65 (FIPS 204) and Ed25519 (RFC 8032), raw. */
export interface VerifyingKeys {
  readonly mldsa65: Uint8Array;
  readonly ed25519: Uint8Array;
}

/** A signing identity. The private halves never leave the engine's own key objects. */
export interface SigningKey {
  readonly publicKeys: VerifyingKeys;
  /**
   * Signs a 32-byte digest under a domain label: ML-DSA-65 with the label as context, then Ed25519 over
   * `label || digest`. Returns 3373 bytes.
   */
  sign(label: string, digest: Uint8Array): Uint8Array;
}

/** A signing key of one algorithm, for the audit log, whose formats want each signature by itself. */
export interface SingleKey {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: Uint8Array;
  /**
   * Signs `message` under a domain label: ML-DSA with the label as context, Ed25519 over `label || message`. The
   * label is empty only where a standard of others says what is signed.
   */
  sign(label: string, message: Uint8Array): Uint8Array;
}

/** An X-Wing decapsulation key (draft-connolly-cfrg-xwing-kem, HPKE KEM id 0x647a). */
export interface KemKey {
  readonly publicKey: Uint8Array;
  /** 32-byte shared secret of a 1120-byte ciphertext; refuses `kem-invalid`. */
  decapsulate(ciphertext: Uint8Array): Uint8Array;
}

export interface Encapsulation {
  readonly ciphertext: Uint8Array;
  readonly sharedSecret: Uint8Array;
}

export interface Engine {
  readonly name: 'native' | 'portable';
  /** `length` random bytes: the system's for native, the given coins for portable. */
  random(length: number): Uint8Array;
  /** SHA-256 (FIPS 180-4) of the parts, one after the other. */
  sha256(...parts: Uint8Array[]): Uint8Array;
  /** HKDF-SHA256 (RFC 5869). */
  hkdf(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array;
  /**
   * AES-256-GCM (SP 800-38D): encrypts `plaintext` into `out`, which may be the same memory, and returns the
   * 16-byte tag.
   */
  aeadSeal(key: Uint8Array, iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, out: Uint8Array): Uint8Array;
  /** Decrypts into `out`, which may be the same memory. False when the tag does not verify; `out` is then zeroed. */
  aeadOpen(
    key: Uint8Array,
    iv: Uint8Array,
    aad: Uint8Array,
    ciphertext: Uint8Array,
    tag: Uint8Array,
    out: Uint8Array,
  ): boolean;
  /** The X-Wing key of a 32-byte seed. */
  kemKey(seed: Uint8Array): KemKey;
  /** Encapsulates to a 1216-byte X-Wing public key; refuses `kem-invalid`. */
  encapsulate(publicKey: Uint8Array): Encapsulation;
  /** The signing key pair of a 32-byte identity seed (each half has its own HKDF-derived seed). */
  signingKey(seed: Uint8Array): SigningKey;
  /** True only when both signatures of a pair verify under `label`. Never throws on hostile bytes. */
  verify(keys: VerifyingKeys, label: string, digest: Uint8Array, signatures: Uint8Array): boolean;
  /** The key of one algorithm whose 32-byte seed is `seed` itself (FIPS 204 `xi`, RFC 8032 private key). */
  singleKey(algorithm: SignatureAlgorithm, seed: Uint8Array): SingleKey;
  /** True when `signature` is one by `SingleKey.sign`. Never throws on hostile bytes. */
  verifySingle(
    algorithm: SignatureAlgorithm,
    publicKey: Uint8Array,
    label: string,
    message: Uint8Array,
    signature: Uint8Array,
  ): boolean;
}
