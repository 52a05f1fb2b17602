/** Shapes that several documents share: names, identifiers, keys, roles, zones. */
import { ED25519_PUBLIC_KEY_BYTES, ML_DSA_65_PUBLIC_KEY_BYTES } from './engine/engine.ts';
import { integer, type Of, object, oneOf, type Shape, text } from './shape.ts';
import { PIN_PATTERN } from './text.ts';

/** What a device may do. */
export const ROLES = ['send', 'receive', 'firmware', 'audit', 'operate'] as const;
export type Role = (typeof ROLES)[number];

/** The zones that a relay has listeners in (IEC 62443-3-2). */
export const ZONES = ['ot', 'it', 'management'] as const;
export type Zone = (typeof ZONES)[number];

/** Name of a device, group, site or relay. */
export const nameText: Shape<string> = text(
  'a name of 1 to 63 letters, digits, ".", "_" or "-" that starts with a letter or digit',
  1,
  63,
  /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
);

/** `did:paramant:` and base58btc of a 34-byte multihash. */
export const didText: Shape<string> = text(
  'a did:paramant: identifier',
  59,
  59,
  /^did:paramant:[1-9A-HJ-NP-Za-km-z]+$/,
);

/** 16 bytes in lower-case hexadecimal. */
export const siteIdText: Shape<string> = text('32 lower-case hexadecimal digits', 32, 32, /^[0-9a-f]*$/);

/** An id of 16 bytes: a transfer, a stream, a USB stick. */
export const idText: Shape<string> = siteIdText;

/** Origin of a log: the first line of its checkpoints and the name of the keys that sign them. */
export const originText: Shape<string> = text('the origin of a log, without spaces and "+"', 1, 255, /^[!-*,-~]+$/);

/** `sha256/` and 43 base64url characters. */
export const pinText: Shape<string> = text('a pin (sha256/ and 43 base64url characters)', 50, 50, PIN_PATTERN);

export const role: Shape<Role> = oneOf(ROLES);
export const zone: Shape<Zone> = oneOf(ZONES);
export const version1: Shape<1> = oneOf([1]);
export const timeMs: Shape<number> = integer(0, Number.MAX_SAFE_INTEGER);

/** base64url text of exactly `length` bytes. */
export function bytesText(length: number): Shape<string> {
  const characters = Math.ceil((length * 4) / 3);
  return text(`${length} bytes in base64url`, characters, characters, /^[A-Za-z0-9_-]*$/);
}

/** The verification keys of an identity in text form. */
export const verifyingKeys = object({
  ed25519: bytesText(ED25519_PUBLIC_KEY_BYTES),
  mldsa65: bytesText(ML_DSA_65_PUBLIC_KEY_BYTES),
});
export type VerifyingKeysText = Of<typeof verifyingKeys>;
