/** DER prefixes that turn raw signature keys into SubjectPublicKeyInfo and PKCS #8 (RFC 8410, RFC 9881). */
import { hex } from '@scure/base';
import { concat } from '../bytes.ts';
import type { SignatureAlgorithm } from './engine.ts';

/** What stands in front of a raw public key in its SubjectPublicKeyInfo. */
export const SPKI_PREFIX: Readonly<Record<SignatureAlgorithm, Uint8Array>> = {
  ed25519: hex.decode('302a300506032b6570032100'),
  'ml-dsa-44': hex.decode('30820532300b06096086480165030403110382052100'),
  'ml-dsa-65': hex.decode('308207b2300b0609608648016503040312038207a100'),
};

/** What stands in front of a 32-byte seed in its PKCS #8. */
export const SEED_PREFIX: Readonly<Record<SignatureAlgorithm, Uint8Array>> = {
  ed25519: hex.decode('302e020100300506032b657004220420'),
  'ml-dsa-44': hex.decode('3034020100300b060960864801650304031104228020'),
  'ml-dsa-65': hex.decode('3034020100300b060960864801650304031204228020'),
};

/** The SubjectPublicKeyInfo of a raw public key: what pins are made of. */
export function spkiOf(algorithm: SignatureAlgorithm, publicKey: Uint8Array): Uint8Array {
  return concat(SPKI_PREFIX[algorithm], publicKey);
}
