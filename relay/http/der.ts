/** Writing of DER (X.690): just what a certificate needs. Every function returns one encoded element. */

/** Any tag with the given content. */
export function element(tag: number, ...content: Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.of(tag), lengthOf(body.length), body]);
}

export function sequence(...content: Uint8Array[]): Buffer {
  return element(0x30, ...content);
}

export function set(...content: Uint8Array[]): Buffer {
  return element(0x31, ...content);
}

/** A positive INTEGER of big-endian bytes whose first byte is neither zero nor above 0x7f. */
export function positiveInteger(bytes: Uint8Array): Buffer {
  return element(0x02, bytes);
}

export function octetString(content: Uint8Array): Buffer {
  return element(0x04, content);
}

/** A BIT STRING; `unused` bits at the end of the last byte do not count. */
export function bitString(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.of(unused), content);
}

export function yes(): Buffer {
  return element(0x01, Buffer.of(0xff));
}

export function utf8String(text: string): Buffer {
  return element(0x0c, Buffer.from(text));
}

/** An OBJECT IDENTIFIER from its dotted form. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** UTCTime, `YYMMDDHHMMSSZ`, for years before 2050 (RFC 5280 section 4.1.2.5). */
export function utcTime(text: string): Buffer {
  return element(0x17, Buffer.from(text));
}

/** GeneralizedTime, `YYYYMMDDHHMMSSZ`, for years from 2050 on. */
export function generalizedTime(text: string): Buffer {
  return element(0x18, Buffer.from(text));
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  if (length < 0x100) return Buffer.of(0x81, length);
  return Buffer.of(0x82, length >> 8, length & 0xff);
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}
