/**
 * Text forms of bytes and numbers: base64url without padding, hex and `sha256/` pins in JSON documents, URLs and
 * configuration; padded base64 and decimals in the texts of the audit log.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { base64, base64urlnopad, hex } from '@scure/base';
import { Problem } from './problem.ts';

/** base64url without padding (RFC 4648 section 5). */
export function toBase64Url(bytes: Uint8Array): string {
  return base64urlnopad.encode(bytes);
}

/** Bytes of a canonical unpadded base64url text; refuses `encoding-invalid`. */
export function fromBase64Url(text: string): Uint8Array {
  try {
    return base64urlnopad.decode(text);
  } catch {
    throw new Problem('encoding-invalid', 'text is not canonical base64url without padding');
  }
}

/** base64 with padding (RFC 4648 section 4). */
export function toBase64(bytes: Uint8Array): string {
  return base64.encode(bytes);
}

/** Bytes of a canonical padded base64 text; refuses `encoding-invalid`. */
export function fromBase64(text: string): Uint8Array {
  try {
    return base64.decode(text);
  } catch {
    throw new Problem('encoding-invalid', 'text is not canonical base64 with padding');
  }
}

/** The number of an ASCII decimal without leading zeros, up to 2^53 - 1; refuses `encoding-invalid`. */
export function fromDecimal(text: string): number {
  const value = /^(0|[1-9]\d{0,15})$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new Problem('encoding-invalid', 'text is no decimal up to 2^53 - 1');
  return value;
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return hex.encode(bytes);
}

/** Bytes of `length` * 2 lower-case hexadecimal digits; refuses `encoding-invalid`. */
export function fromHex(text: string, length: number): Uint8Array {
  if (text.length !== length * 2 || !/^[0-9a-f]*$/.test(text)) {
    throw new Problem('encoding-invalid', `text is not ${length * 2} lower-case hexadecimal digits`);
  }
  return hex.decode(text);
}

/** A pin: `sha256/` and the base64url SHA-256 of `bytes` (a DER SubjectPublicKeyInfo for TLS pins). */
export function pinOf(bytes: Uint8Array): string {
  return `sha256/${toBase64Url(sha256(bytes))}`;
}

/** What a pin looks like. */
export const PIN_PATTERN: RegExp = /^sha256\/[A-Za-z0-9_-]{43}$/;
