/**
 * What a spool segment is made of: sealed entries, one after the other; docs/formats.md section 17 is its table.
 *
 *     "GPE1" | length u32 | ordinal u64 | iv 12 | AES-256-GCM(entry) | tag 16
 *
 * The key is of one segment and the tag covers number of the segment and place in it: an entry opens where it was
 * written and nowhere else. The marker is where reading goes on behind damage.
 */
import { ByteReader, ByteWriter, utf8 } from '../../protocol/bytes.ts';
import { AEAD_TAG_BYTES, type Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';

const MARKER = utf8('GPE1');
const HEAD_BYTES = 28;
const IV_BYTES = 12;

/** What becomes of a file that was delivered: it stays, goes to `.sent/` beside it, or is deleted. */
export const AFTER = ['keep', 'move', 'delete'] as const;
export type After = (typeof AFTER)[number];

/** A reading. */
export interface RecordEntry {
  readonly kind: 'record';
  readonly wallTimeMs: number;
  readonly bytes: Uint8Array;
}

/** A file: as many record numbers as it has chunks. Its bytes stay where they are until they are packed. */
export interface FileEntry {
  readonly kind: 'file';
  readonly groupId: Uint8Array;
  /** Chunks, and bytes of each but the last. */
  readonly count: number;
  readonly chunkBytes: number;
  /** What the file was when it was hashed; another is another file. */
  readonly size: number;
  readonly mtimeUs: number;
  readonly inode: number;
  readonly sha256: Uint8Array;
  readonly after: After;
  /** The name that receivers get. */
  readonly name: string;
  /** Where it is: bytes, since not every name is UTF-8. */
  readonly path: Uint8Array;
}

export type SpoolEntry = RecordEntry | FileEntry;

/** An entry and its place: `ordinal` is its first number in the segment. */
export interface LocatedEntry {
  readonly ordinal: number;
  readonly entry: SpoolEntry;
  /** Offset behind it. */
  readonly end: number;
}

/** What reading a segment gave. */
export interface Scan {
  readonly entries: readonly LocatedEntry[];
  /** Parts between `from` and `to` that are no entries. */
  readonly damage: readonly { readonly from: number; readonly to: number }[];
  /** Where the segment ends; an entry behind it was broken off while it was written. */
  readonly end: number;
}

/** How many record numbers an entry takes. */
export function spanOf(entry: SpoolEntry): number {
  return entry.kind === 'file' ? entry.count : 1;
}

/** Bytes that an entry takes in a segment. */
export function sealedBytes(entry: SpoolEntry): number {
  const { kind } = entry;
  const plain = kind === 'record' ? 9 + entry.bytes.length : 84 + Buffer.byteLength(entry.name) + entry.path.length;
  return HEAD_BYTES + plain + AEAD_TAG_BYTES;
}

/** Seals and opens the entries of one segment. */
export class SegmentCipher {
  readonly #engine: Engine;
  readonly #key: Uint8Array;
  readonly #number: number;

  constructor(engine: Engine, key: Uint8Array, number: number) {
    this.#engine = engine;
    this.#key = key;
    this.#number = number;
  }

  /** `entry` sealed for the place `offset` of the segment. */
  seal(entry: SpoolEntry, offset: number, ordinal: number): Uint8Array {
    const plain = encodeEntry(entry);
    const out = new Uint8Array(HEAD_BYTES + plain.length + AEAD_TAG_BYTES);
    const iv = this.#engine.random(IV_BYTES);
    new ByteWriter(out).bytes(MARKER).u32(plain.length).u64(ordinal).bytes(iv);
    const body = out.subarray(HEAD_BYTES, HEAD_BYTES + plain.length);
    const tag = this.#engine.aeadSeal(this.#key, iv, this.#bound(out, offset), plain, body);
    out.set(tag, HEAD_BYTES + plain.length);
    return out;
  }

  /** Finds every entry that is whole in `bytes`, which stand in the segment from `offset` on. */
  scan(bytes: Uint8Array, offset = 0): Scan {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const entries: LocatedEntry[] = [];
    const damage: { from: number; to: number }[] = [];
    let bad: number | null = null;
    for (let at = 0; at < bytes.length; ) {
      const found = this.#open(bytes, at, offset);
      if (found) {
        if (bad !== null) damage.push({ from: offset + bad, to: offset + at });
        bad = null;
        entries.push(found);
        at = found.end - offset;
      } else {
        bad ??= at;
        const next = buffer.indexOf(MARKER, at + 1);
        at = next === -1 ? bytes.length : next;
      }
    }
    const end = offset + bytes.length;
    if (bad === null) return { entries, damage, end };
    if (isTorn(bytes.subarray(bad))) return { entries, damage, end: offset + bad };
    return { entries, damage: [...damage, { from: offset + bad, to: end }], end };
  }

  #open(bytes: Uint8Array, at: number, offset: number): LocatedEntry | null {
    const head = headAt(bytes, at);
    if (!head || head.end > bytes.length) return null;
    const sealed = bytes.subarray(at, head.end);
    const iv = sealed.subarray(16, HEAD_BYTES);
    const body = sealed.subarray(HEAD_BYTES, sealed.length - AEAD_TAG_BYTES);
    const tag = sealed.subarray(sealed.length - AEAD_TAG_BYTES);
    const plain = new Uint8Array(body.length);
    if (!this.#engine.aeadOpen(this.#key, iv, this.#bound(sealed, offset + at), body, tag, plain)) return null;
    return { ordinal: head.ordinal, entry: parseEntry(plain), end: offset + head.end };
  }

  /** What the tag covers besides the entry: its segment, its place, its length and its number. */
  #bound(sealed: Uint8Array, offset: number): Uint8Array {
    const aad = new Uint8Array(32);
    new ByteWriter(aad).u64(this.#number).u64(offset).bytes(sealed.subarray(0, 16));
    return aad;
  }
}

function headAt(bytes: Uint8Array, at: number): { ordinal: number; end: number } | null {
  if (bytes.length - at < HEAD_BYTES) return null;
  try {
    const reader = new ByteReader(bytes.subarray(at, at + HEAD_BYTES), 'file-invalid');
    for (const byte of MARKER) if (reader.u8() !== byte) return null;
    const length = reader.u32();
    return { ordinal: reader.u64(), end: at + HEAD_BYTES + length + AEAD_TAG_BYTES };
  } catch {
    return null; // an ordinal that no sender gives out
  }
}

/** Whether the end of a segment is the beginning of an entry that a crash broke off. */
function isTorn(rest: Uint8Array): boolean {
  const head = headAt(rest, 0);
  return head ? head.end > rest.length : rest.length < HEAD_BYTES;
}

function encodeEntry(entry: SpoolEntry): Uint8Array {
  if (entry.kind === 'record') {
    const out = new Uint8Array(9 + entry.bytes.length);
    new ByteWriter(out).u8(0).u64(entry.wallTimeMs).bytes(entry.bytes);
    return out;
  }
  const name = utf8(entry.name);
  const out = new Uint8Array(84 + name.length + entry.path.length);
  new ByteWriter(out)
    .u8(1)
    .bytes(entry.groupId)
    .u32(entry.count)
    .u32(entry.chunkBytes)
    .u64(entry.size)
    .u64(entry.mtimeUs)
    .u64(entry.inode)
    .bytes(entry.sha256)
    .u8(AFTER.indexOf(entry.after))
    .u16(name.length)
    .bytes(name)
    .bytes(entry.path);
  return out;
}

/** Parses what its tag has proved to be this device's own; refuses `file-invalid` for an entry of a later version. */
function parseEntry(plain: Uint8Array): SpoolEntry {
  const reader = new ByteReader(plain, 'file-invalid');
  const kind = reader.u8();
  if (kind === 0) return { kind: 'record', wallTimeMs: reader.u64(), bytes: reader.bytes(reader.left) };
  if (kind !== 1) throw new Problem('file-invalid', `a spool entry of kind ${kind} is not known to this version`);
  const groupId = reader.bytes(16);
  const [count, chunkBytes] = [reader.u32(), reader.u32()];
  const [size, mtimeUs, inode] = [reader.u64(), reader.u64(), reader.u64()];
  const sha256 = reader.bytes(32);
  const after = AFTER[reader.u8()] ?? 'keep';
  const name = new TextDecoder().decode(reader.bytes(reader.u16()));
  const path = reader.bytes(reader.left);
  return { kind: 'file', groupId, count, chunkBytes, size, mtimeUs, inode, sha256, after, name, path };
}
