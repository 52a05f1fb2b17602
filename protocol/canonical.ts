/**
 * Canonical JSON (RFC 8785, JCS) for everything that is signed.
 *
 * Parsing accepts only the canonical form, so a document has one byte string: no duplicate keys, no white space,
 * no second spelling of a number.
 */
import canonicalize from 'canonicalize';
import { utf8 } from './bytes.ts';
import { Problem } from './problem.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The canonical bytes of a JSON value; refuses `json-invalid`. */
export function canonicalBytes(value: unknown): Uint8Array {
  return utf8(canonicalText(value));
}

/** The canonical text of a JSON value; refuses `json-invalid` for what has none, as lone surrogates and infinity. */
export function canonicalText(value: unknown): string {
  const text = canonicalTextOrUndefined(value);
  if (text === undefined) throw new Problem('json-invalid', 'the value has no canonical form (RFC 8785)');
  return text;
}

/** Parses at most `limit` bytes of UTF-8 JSON in any spelling; refuses `json-invalid`. */
export function parseJson(bytes: Uint8Array, limit: number): Json {
  if (bytes.length > limit)
    throw new Problem('json-invalid', `document has ${bytes.length} bytes, the limit is ${limit}`);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)) as Json;
  } catch {
    throw new Problem('json-invalid', `${bytes.length} bytes are not UTF-8 JSON`);
  }
}

/** Parses at most `limit` bytes that must be canonical JSON; refuses `json-invalid` and `json-not-canonical`. */
export function parseCanonical(bytes: Uint8Array, limit: number): Json {
  const value = parseJson(bytes, limit);
  const again = utf8(canonicalTextOrUndefined(value) ?? '');
  if (again.length !== bytes.length || again.some((byte, i) => byte !== bytes[i])) {
    throw new Problem('json-not-canonical', 'document is JSON but not in its canonical form (RFC 8785)');
  }
  return value;
}

function canonicalTextOrUndefined(value: unknown): string | undefined {
  try {
    return canonicalize(value);
  } catch {
    return undefined;
  }
}
