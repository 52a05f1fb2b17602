/**
 * Signed documents: canonical JSON with the pair of signatures beside it.
 *
 *     {"signatures":{"ed25519":...,"mldsa65":...},"signed":{...}}
 *
 * Both signatures are over SHA-256(label || canonical bytes of `signed`); both must verify.
 */
import { concat, utf8 } from './bytes.ts';
import { canonicalBytes, type Json, parseCanonical } from './canonical.ts';
import {
  ED25519_SIGNATURE_BYTES,
  type Engine,
  ML_DSA_65_SIGNATURE_BYTES,
  type SigningKey,
  type VerifyingKeys,
} from './engine/engine.ts';
import { Problem } from './problem.ts';
import { check, object, type Shape } from './shape.ts';
import { bytesText } from './shapes.ts';
import { fromBase64Url, toBase64Url } from './text.ts';

/** One kind of signed document: its domain label, the shape of its body, and the most bytes it may have. */
export interface DocumentKind<T> {
  readonly label: string;
  readonly body: Shape<T>;
  readonly limit: number;
}

/** A document as it travels: a JSON value that `openDocument` has not seen yet. */
export type SignedJson = Json;

const SIGNATURES = object({
  ed25519: bytesText(ED25519_SIGNATURE_BYTES),
  mldsa65: bytesText(ML_DSA_65_SIGNATURE_BYTES),
});

/** Signs `body` after checking it against its own shape, and returns the document as a JSON value. */
export function signDocument<T>(engine: Engine, signer: SigningKey, kind: DocumentKind<T>, body: T): SignedJson {
  check(kind.body, body);
  const pair = signer.sign(kind.label, documentDigest(engine, kind.label, body));
  return {
    signed: body as Json,
    signatures: {
      mldsa65: toBase64Url(pair.subarray(0, ML_DSA_65_SIGNATURE_BYTES)),
      ed25519: toBase64Url(pair.subarray(ML_DSA_65_SIGNATURE_BYTES)),
    },
  };
}

/**
 * Checks shape and both signatures of a document and returns its body. `keysOf` says whose keys must have signed it.
 * Refuses `schema-invalid` and `signature-invalid`.
 */
export function openDocument<T>(
  engine: Engine,
  kind: DocumentKind<T>,
  document: SignedJson,
  keysOf: (body: T) => VerifyingKeys,
): T {
  const { signed, signatures } = check(object({ signed: kind.body, signatures: SIGNATURES }), document);
  const pair = concat(fromBase64Url(signatures.mldsa65), fromBase64Url(signatures.ed25519));
  if (!engine.verify(keysOf(signed), kind.label, documentDigest(engine, kind.label, signed), pair)) {
    throw new Problem('signature-invalid', `the signatures of the ${noun(kind)} do not verify`);
  }
  return signed;
}

/** `openDocument` on the canonical bytes of a file or body; refuses `json-invalid` and `json-not-canonical` too. */
export function openDocumentBytes<T>(
  engine: Engine,
  kind: DocumentKind<T>,
  bytes: Uint8Array,
  keysOf: (body: T) => VerifyingKeys,
): T {
  return openDocument(engine, kind, parseCanonical(bytes, kind.limit), keysOf);
}

function documentDigest(engine: Engine, label: string, body: unknown): Uint8Array {
  return engine.sha256(utf8(label), canonicalBytes(body));
}

/** The noun in `ghostpipe/<noun>/v1`, for messages. */
function noun(kind: DocumentKind<unknown>): string {
  return kind.label.split('/')[1]!.replaceAll('-', ' ');
}
