/**
 * The journal of one epoch: two files in memory from which the next process has every record, whatever ended this one.
 *
 *     audit-NUMBER.tail       two places for the newest head, written in turn, then the entries of the bundle that grows
 *     audit-NUMBER.bundles    full bundles, compressed, one after the other
 *
 * Both consist of frames. A bundle is written before the entries that it holds are written over. A write that fails is
 * done again at the same place with the next record: whether its bytes arrived makes no difference. docs/formats.md
 * section 18 is its table.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ByteReader, ByteWriter, concat, equalBytes } from '../../protocol/bytes.ts';
import type { Hasher } from '../../protocol/merkle.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { WriteAt } from '../store/slot-file.ts';
import { type EpochTree, unpackBundle } from './epoch-tree.ts';

const NAME = /^audit-(\d{8})\.(tail|bundles)$/;
const HEAD_PLACE_BYTES = 16_384;
const ENTRIES_AT = 2 * HEAD_PLACE_BYTES;
const FRAME_HEAD_BYTES = 20;
const CHECK_BYTES = 8;

export interface JournalOptions {
  /** An existing private folder in memory. */
  readonly folder: string;
  /** Above that of every journal in the folder. */
  readonly number: number;
  readonly hasher: Hasher;
  readonly write: WriteAt;
}

/** What a journal held. */
export interface JournalContent {
  readonly entries: readonly Uint8Array[];
  /** The newest head that was signed; null when none was. */
  readonly checkpoint: Uint8Array | null;
  /** Bytes of memory that its files take. */
  readonly bytes: number;
}

export class Journal {
  readonly #options: JournalOptions;
  readonly #tail: number;
  readonly #bundles: number;
  #tailAt = ENTRIES_AT;
  #bundlesAt = 0;
  #tailPeak = ENTRIES_AT;
  /** Entries in full bundles, and entries in all. */
  #sealed = 0;
  #written = 0;
  #heads = 0;
  #closed = false;

  /** Makes the files, mode 600. Throws what the system throws. */
  constructor(options: JournalOptions) {
    this.#options = options;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const { folder, number } = options;
    this.#tail = openSync(pathOf(folder, number, 'tail'), flags, 0o600);
    this.#bundles = openSync(pathOf(folder, number, 'bundles'), flags, 0o600);
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#tailPeak + this.#bundlesAt;
  }

  /** Entries that it has. */
  get size(): number {
    return this.#written;
  }

  /** Writes what the tree has more than the journal. Throws what the system throws, and can be called again. */
  follow(tree: EpochTree): void {
    while (this.#sealed + TILE_WIDTH <= tree.size) {
      const index = this.#sealed / TILE_WIDTH;
      this.#bundlesAt += this.#put(this.#bundles, this.#bundlesAt, index, tree.packed(index));
      this.#sealed += TILE_WIDTH;
      this.#written = this.#sealed;
      this.#tailAt = ENTRIES_AT;
    }
    while (this.#written < tree.size) {
      this.#tailAt += this.#put(this.#tail, this.#tailAt, this.#written, tree.entry(this.#written));
      this.#written += 1;
      this.#tailPeak = Math.max(this.#tailPeak, this.#tailAt);
    }
  }

  /** Writes the newest head. Throws what the system throws. */
  head(checkpoint: Uint8Array): void {
    const number = this.#heads + 1;
    this.#put(this.#tail, (number % 2) * HEAD_PLACE_BYTES, number, checkpoint);
    this.#heads = number;
  }

  /** From then on nothing is written; the files stay. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#tail);
    closeSync(this.#bundles);
  }

  /** Deletes the files. */
  remove(): void {
    this.close();
    removeJournal(this.#options.folder, this.#options.number);
  }

  #put(fd: number, at: number, number: number, bytes: Uint8Array): number {
    const { hasher, write } = this.#options;
    const frame = encodeFrame(hasher, number, bytes);
    if (!this.#closed) write(fd, frame, at);
    return frame.length;
  }
}

/** The numbers of the journals in a folder, ascending. */
export function journalNumbers(folder: string): number[] {
  const numbers = readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  return [...new Set(numbers.map(Number))].sort((a, b) => a - b);
}

/** Reads a journal as far as its frames are whole. */
export function readJournal(hasher: Hasher, folder: string, number: number): JournalContent {
  const bundles = readFileSync(pathOf(folder, number, 'bundles'));
  const tail = readFileSync(pathOf(folder, number, 'tail'));
  const entries = framesFrom(hasher, bundles, 0).flatMap((packed) => unpackBundle(packed));
  const rest = framesFrom(hasher, tail.subarray(ENTRIES_AT), entries.length);
  const heads = [0, 1].flatMap((place) => {
    const start = place * HEAD_PLACE_BYTES;
    return parseFrame(hasher, tail.subarray(start, start + HEAD_PLACE_BYTES)) ?? [];
  });
  const newest = heads.sort((a, b) => b.number - a.number)[0];
  return { entries: [...entries, ...rest], checkpoint: newest?.bytes ?? null, bytes: bundles.length + tail.length };
}

/** Deletes a journal. */
export function removeJournal(folder: string, number: number): void {
  rmSync(pathOf(folder, number, 'bundles'), { force: true });
  rmSync(pathOf(folder, number, 'tail'), { force: true });
}

function pathOf(folder: string, number: number, kind: 'tail' | 'bundles'): string {
  return join(folder, `audit-${String(number).padStart(8, '0')}.${kind}`);
}

/** What the whole frames hold whose numbers go on from `first`. */
function framesFrom(hasher: Hasher, bytes: Uint8Array, first: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const frame = parseFrame(hasher, bytes.subarray(at));
    if (frame?.number !== first + found.length) return found;
    found.push(frame.bytes);
    at += FRAME_HEAD_BYTES + frame.bytes.length;
  }
}

/** length u32 | number u64 | first 8 bytes of SHA-256(length || number || bytes) | bytes */
function encodeFrame(hasher: Hasher, number: number, bytes: Uint8Array): Uint8Array {
  const head = new Uint8Array(12);
  new ByteWriter(head).u32(bytes.length).u64(number);
  return concat(head, hasher.sha256(head, bytes).subarray(0, CHECK_BYTES), bytes);
}

/** The frame at the start of `bytes`, copied; undefined unless it is whole. */
function parseFrame(hasher: Hasher, bytes: Uint8Array): { number: number; bytes: Uint8Array } | undefined {
  if (bytes.length < FRAME_HEAD_BYTES) return undefined;
  const head = bytes.subarray(0, 12);
  const end = FRAME_HEAD_BYTES + new DataView(head.buffer, head.byteOffset).getUint32(0);
  if (end > bytes.length) return undefined;
  const content = bytes.subarray(FRAME_HEAD_BYTES, end);
  const check = hasher.sha256(head, content).subarray(0, CHECK_BYTES);
  if (!equalBytes(check, bytes.subarray(12, FRAME_HEAD_BYTES))) return undefined;
  return { number: new ByteReader(head.subarray(4), 'file-invalid').u64(), bytes: new Uint8Array(content) };
}
