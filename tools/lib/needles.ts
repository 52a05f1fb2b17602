/** What is looked for in memory, in all its spellings, and a search that finds any of many in one pass. */

/** Bytes to look for. Keep them in this process only: a needle that travels is found where it went. */
export interface Needle {
  readonly name: string;
  readonly bytes: Buffer;
}

/** How a secret of raw bytes may be written down: raw, hexadecimal, base64 and base64url. */
export function keyNeedles(name: string, key: Uint8Array): Needle[] {
  const bytes = Buffer.from(key);
  const spellings = { raw: bytes, hex: bytes.toString('hex'), base64: bytes.toString('base64').replace(/=+$/, '') };
  const needles = Object.entries(spellings).map(([spelling, value]) => needle(`${name} ${spelling}`, value));
  return [...needles, needle(`${name} base64url`, bytes.toString('base64url'))];
}

/** How a text may stand inside others: plain, hexadecimal, UTF-16, and base64 from each of the three offsets. */
export function textNeedles(name: string, text: string): Needle[] {
  return [
    needle(`${name} plain`, text),
    needle(`${name} hex`, Buffer.from(text).toString('hex')),
    needle(`${name} utf-16`, Buffer.from(text, 'utf16le')),
    ...[0, 1, 2].map((offset) => needle(`${name} base64+${offset}`, base64Inside(Buffer.from(text), offset))),
  ];
}

/** The characters that `bytes` always have in the base64 of a longer text, `offset` bytes behind a multiple of 3. */
function base64Inside(bytes: Buffer, offset: number): string {
  const all = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const whole = Math.floor(((offset + bytes.length) * 8) / 6);
  return all.slice(Math.ceil((offset * 8) / 6), whole);
}

function needle(name: string, value: string | Buffer): Needle {
  return { name, bytes: Buffer.from(value as string) };
}

/** Many needles, found in one pass: the two bytes at a place select the few needles that may begin there. */
export class NeedleIndex {
  /** Length of the longest needle. */
  readonly longest: number;
  readonly #isStart = new Uint8Array(65_536);
  readonly #byStart = new Map<number, Needle[]>();

  /** `needles` of at least two bytes each. */
  constructor(needles: readonly Needle[]) {
    this.longest = Math.max(1, ...needles.map(({ bytes }) => bytes.length));
    for (const needle of needles) {
      const start = needle.bytes.readUInt16BE(0);
      this.#isStart[start] = 1;
      this.#byStart.set(start, [...(this.#byStart.get(start) ?? []), needle]);
    }
  }

  /** Adds the names of the needles in `piece` to `found`. */
  search(piece: Buffer, found: Set<string>): void {
    const isStart = this.#isStart;
    let start = piece[0] ?? 0;
    for (let at = 0; at + 1 < piece.length; at++) {
      start = ((start << 8) | piece[at + 1]!) & 0xffff;
      if (isStart[start] === 1) this.#compare(piece, at, this.#byStart.get(start)!, found);
    }
  }

  #compare(piece: Buffer, at: number, candidates: readonly Needle[], found: Set<string>): void {
    for (const { name, bytes } of candidates) {
      if (piece.subarray(at, at + bytes.length).equals(bytes)) found.add(name);
    }
  }
}
