/**
 * Device identity: a self-certifying DID over signature keys only.
 *
 * `did:paramant:` is followed by the base58btc multihash (SHA-256) of the canonical JSON of {ed25519, mldsa65,
 * nameCommitment, v}. Whoever holds that document can check the identifier alone; the plain name is not in it.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { base58 } from '@scure/base';
import { concat, equalBytes, utf8 } from './bytes.ts';
import { canonicalBytes } from './canonical.ts';
import type { Engine, VerifyingKeys } from './engine/engine.ts';
import { Problem } from './problem.ts';
import { check, type Of, object } from './shape.ts';
import { bytesText, type VerifyingKeysText, version1 } from './shapes.ts';
import { fromBase64Url, pinOf, toBase64Url } from './text.ts';

const PREFIX = 'did:paramant:';
/** Multihash head: function 0x12 (SHA-256), length 32. */
const MULTIHASH_HEAD = Uint8Array.of(0x12, 32);
/** Multicodec heads of public keys as unsigned varints: ed25519-pub 0xed, mldsa-65-pub 0x1211. */
const MULTICODEC = { ed25519: Uint8Array.of(0xed, 0x01), mldsa65: Uint8Array.of(0x91, 0x24) };

/** The document that a DID is the hash of. */
export const identityDocument = object({
  v: version1,
  ed25519: bytesText(32),
  mldsa65: bytesText(1952),
  nameCommitment: bytesText(32),
});
export type IdentityDocument = Of<typeof identityDocument>;

/** Hides a device's name behind a 16-byte salt: base64url SHA-256(label || salt || name). */
export function nameCommitment(salt: Uint8Array, name: string): string {
  return toBase64Url(sha256(concat(utf8('ghostpipe/name-commitment/v1'), salt, utf8(name))));
}

/** The identity document of verification keys and a name commitment. */
export function identityOf(keys: VerifyingKeys, commitment: string): IdentityDocument {
  return { v: 1, ...keysText(keys), nameCommitment: commitment };
}

/** The 32-byte digest inside the DID of an identity document. */
export function identityDigest(document: IdentityDocument): Uint8Array {
  return sha256(canonicalBytes(document));
}

/** The DID text of a 32-byte digest. */
export function didOf(digest: Uint8Array): string {
  return PREFIX + base58.encode(concat(MULTIHASH_HEAD, digest));
}

/** The 32-byte digest inside a DID; refuses `did-invalid`. */
export function digestOf(did: string): Uint8Array {
  const bytes = did.startsWith(PREFIX) && did.length === 59 ? decodeBase58(did.slice(PREFIX.length)) : null;
  if (bytes?.length !== 34 || !equalBytes(bytes.subarray(0, 2), MULTIHASH_HEAD)) {
    throw new Problem('did-invalid', 'the identifier is not did:paramant: and a SHA-256 multihash');
  }
  return bytes.subarray(2);
}

/**
 * The verification keys of `did`, from a document that anybody may have sent: it counts only because it hashes to
 * the identifier. Refuses `schema-invalid`, `did-invalid` and `did-mismatch`.
 */
export function keysOfIdentity(did: string, document: unknown): VerifyingKeys {
  const identity = check(identityDocument, document);
  const actual = identityDigest(identity);
  if (!equalBytes(actual, digestOf(did))) {
    throw new Problem('did-mismatch', `the document belongs to ${didOf(actual)}, not to ${did}`);
  }
  return keysFromText(identity);
}

/** The W3C DID document (DID Core 1.0, Multikey) of an identity. */
export function didDocument(identity: IdentityDocument): object {
  const id = didOf(identityDigest(identity));
  const keys = keysFromText(identity);
  const method = (name: keyof VerifyingKeys) => ({
    id: `${id}#${name}`,
    type: 'Multikey',
    controller: id,
    publicKeyMultibase: `z${base58.encode(concat(MULTICODEC[name], keys[name]))}`,
  });
  const references = [`${id}#mldsa65`, `${id}#ed25519`];
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id,
    verificationMethod: [method('mldsa65'), method('ed25519')],
    assertionMethod: references,
    authentication: references,
  };
}

/** Verification keys in text form, as documents carry them. */
export function keysText(keys: VerifyingKeys): VerifyingKeysText {
  return { ed25519: toBase64Url(keys.ed25519), mldsa65: toBase64Url(keys.mldsa65) };
}

/** The raw form of verification keys in a document. */
export function keysFromText(keys: VerifyingKeysText): VerifyingKeys {
  return { ed25519: fromBase64Url(keys.ed25519), mldsa65: fromBase64Url(keys.mldsa65) };
}

/** The pin of an operator key: what every client and the relay hold of the site's root of trust. */
export function operatorKeyHash(keys: VerifyingKeys): string {
  return pinOf(concat(utf8('ghostpipe/operator-key/v1'), keys.mldsa65, keys.ed25519));
}

/** What is stored of an API key: base64url SHA-256(label || key). */
export function apiKeyHash(engine: Engine, apiKey: string): string {
  return toBase64Url(engine.sha256(utf8('ghostpipe/api-key/v1'), utf8(apiKey)));
}

/** An API key: `pgp_` and 43 base64url characters of 32 random bytes. */
export function makeApiKey(engine: Engine): string {
  return `pgp_${toBase64Url(engine.random(32))}`;
}

/** What an API key looks like. */
export const API_KEY_PATTERN: RegExp = /^pgp_[A-Za-z0-9_-]{43}$/;

function decodeBase58(text: string): Uint8Array | null {
  try {
    return base58.decode(text);
  } catch {
    return null;
  }
}
