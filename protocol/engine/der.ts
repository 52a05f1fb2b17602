/** SubjectPublicKeyInfo of raw signature keys (RFC 8410, RFC 9881). */
import { hex } from '@scure/base';
import { concat } from '../bytes.ts';
import type { SignatureAlgorithm } from './engine.ts';

/** What stands in front of a raw public key in its SubjectPublicKeyInfo. */
const SPKI_PREFIX: Readonly<Record<SignatureAlgorithm, Uint8Array>> = {
  ed25519: hex.decode('302a300506032b6570032100'),
  'ml-dsa-44': hex.decode('30820532300b06096086480165030403110382052100'),
  'ml-dsa-65': hex.decode('308207b2300b0609608648016503040312038207a100'),
};

/** The SubjectPublicKeyInfo of a raw public key: what pins are made of. */
export function spkiOf(algorithm: SignatureAlgorithm, publicKey: Uint8Array): Uint8Array {
  return concat(SPKI_PREFIX[algorithm], publicKey);
}
