/**
 * Key statement: a device's own word on which X-Wing key reaches it now, signed by its identity.
 *
 * Generations only grow. Anybody may carry a statement; it counts because the DID's keys signed it.
 */

import { type Engine, KEM_PUBLIC_KEY_BYTES, type SigningKey, type VerifyingKeys } from './engine/engine.ts';
import type { Recipient } from './envelope.ts';
import { keyIdOf } from './key-id.ts';
import { Problem } from './problem.ts';
import { integer, type Of, object } from './shape.ts';
import { bytesText, didText, version1 } from './shapes.ts';
import { type DocumentKind, openDocument, type SignedJson, signDocument } from './signed.ts';
import { fromBase64Url, toBase64Url } from './text.ts';

const body = object({
  v: version1,
  did: didText,
  generation: integer(1, 0xffff_ffff),
  keyId: bytesText(16),
  xwing: bytesText(KEM_PUBLIC_KEY_BYTES),
});
export type KeyStatement = Of<typeof body>;

export const KEY_STATEMENT: DocumentKind<KeyStatement> = { label: 'ghostpipe/key-statement/v1', body, limit: 16_384 };

/** Signs that `publicKey` is generation `generation` of `did`. */
export function signKeyStatement(
  engine: Engine,
  signer: SigningKey,
  did: string,
  generation: number,
  publicKey: Uint8Array,
): SignedJson {
  const keyId = toBase64Url(keyIdOf(engine, publicKey));
  return signDocument(engine, signer, KEY_STATEMENT, { v: 1, did, generation, keyId, xwing: toBase64Url(publicKey) });
}

/**
 * Opens the statement of `did`, whose keys are known, and refuses a generation below `minGeneration`. Refuses
 * `schema-invalid`, `did-mismatch`, `signature-invalid`, `kem-invalid` and `statement-older`.
 */
export function openKeyStatement(
  engine: Engine,
  document: SignedJson,
  did: string,
  keys: VerifyingKeys,
  minGeneration: number,
): KeyStatement & { readonly recipient: Recipient } {
  const statement = openDocument(engine, KEY_STATEMENT, document, () => keys);
  if (statement.did !== did) {
    throw new Problem('did-mismatch', `the key statement belongs to ${statement.did}, not to ${did}`);
  }
  const publicKey = fromBase64Url(statement.xwing);
  const keyId = keyIdOf(engine, publicKey);
  if (toBase64Url(keyId) !== statement.keyId) {
    throw new Problem('kem-invalid', `key id is ${statement.keyId}, the key gives ${toBase64Url(keyId)}`);
  }
  if (statement.generation < minGeneration) {
    throw new Problem('statement-older', `generation is ${statement.generation}, ${minGeneration} was seen before`);
  }
  return { ...statement, recipient: { keyId, publicKey } };
}
