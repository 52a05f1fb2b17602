/**
 * The journal of one epoch: files in memory from which the next process has every record, whatever ended this one.
 *
 *     audit-NUMBER.tail                two places for the newest head, written in turn, the statement, then the entries
 *                                      of the bundle that grows
 *     audit-NUMBER-SEGMENT.bundles     full bundles: bundle-files.ts
 *
 * All consist of frames. A bundle is written before the entries that it holds are written over. A write that fails is
 * done again at the same place with the next record: whether its bytes arrived makes no difference. docs/formats.md
 * section 18 is its table.
 */
import { closeSync, constants, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import { BundleFiles, type BundleFilesOptions } from './bundle-files.ts';
import type { EpochTree } from './epoch-tree.ts';
import { encodeFrame, FRAME_HEAD_BYTES, parseFrame } from './journal-frame.ts';

const NAME = /^audit-(\d{8})(\.tail|-\d{4}\.bundles(\.new)?)$/;
const PLACE_BYTES = 20_480;
const STATEMENT_AT = 2 * PLACE_BYTES;
const ENTRIES_AT = 3 * PLACE_BYTES;

export type JournalOptions = BundleFilesOptions;

export class Journal {
  readonly bundles: BundleFiles;
  readonly #options: JournalOptions;
  readonly #tail: number;
  #tailAt = ENTRIES_AT;
  #tailPeak = ENTRIES_AT;
  #written = 0;
  #heads = 0;
  #closed = false;

  /** Makes the files, mode 600; the number is above that of every journal in the folder. Throws what the system throws. */
  constructor(options: JournalOptions) {
    this.#options = options;
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    this.#tail = openSync(tailPath(options), flags, 0o600);
    this.bundles = new BundleFiles(options);
  }

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#tailPeak + this.bundles.bytes;
  }

  /** Entries that it has. */
  get size(): number {
    return this.#written;
  }

  /** Writes what the tree has more than the journal. Throws what the system throws, and can be called again. */
  follow(tree: EpochTree): void {
    if (this.#closed) return;
    if (this.#written === 0) this.#put(STATEMENT_AT, 0, tree.entry(0));
    while (this.bundles.count < tree.bundles) {
      this.bundles.put(tree.full(this.bundles.count));
      this.#written = this.bundles.count * TILE_WIDTH;
      this.#tailAt = ENTRIES_AT;
    }
    while (this.#written < tree.size) {
      this.#tailAt += this.#put(this.#tailAt, this.#written, tree.entry(this.#written));
      this.#written += 1;
      this.#tailPeak = Math.max(this.#tailPeak, this.#tailAt);
    }
  }

  /** Writes the newest head. Throws what the system throws. */
  head(checkpoint: Uint8Array): void {
    if (this.#closed) return;
    const number = this.#heads + 1;
    this.#put((number % 2) * PLACE_BYTES, number, checkpoint);
    this.#heads = number;
  }

  /** From then on nothing is written; the files stay, and bundles can be read. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#tail);
    this.bundles.close();
  }

  /** Deletes the files. */
  remove(): void {
    this.close();
    removeJournal(this.#options.folder, this.#options.number);
  }

  #put(at: number, number: number, bytes: Uint8Array): number {
    const frame = encodeFrame(number, bytes);
    this.#options.write(this.#tail, frame, at);
    return frame.length;
  }
}

/** What stands in the tail file of a journal. */
export interface JournalTail {
  /** Null when its process ended before it had a record. */
  readonly statement: Uint8Array | null;
  /** The newest head that was signed; null when none was. */
  readonly checkpoint: Uint8Array | null;
  /** Bytes of memory that the file takes. */
  readonly bytes: number;
  /** The entries from index `first` on, as far as they are whole. */
  entriesFrom(first: number): Uint8Array[];
}

/** The numbers of the journals in a folder, ascending. */
export function journalNumbers(folder: string): number[] {
  const numbers = readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  return [...new Set(numbers.map(Number))].sort((a, b) => a - b);
}

/** Reads the tail file of a journal: at most the places, and one bundle's entries. Throws what the system throws. */
export function readTail(options: Pick<JournalOptions, 'folder' | 'number'>): JournalTail {
  const bytes = readFileSync(tailPath(options));
  const frameIn = (at: number) => parseFrame(bytes.subarray(at, at + PLACE_BYTES));
  const heads = [0, PLACE_BYTES].flatMap((at) => frameIn(at) ?? []);
  const newest = heads.sort((a, b) => b.number - a.number)[0];
  return {
    statement: frameIn(STATEMENT_AT)?.content ?? null,
    checkpoint: newest?.content ?? null,
    bytes: bytes.length,
    entriesFrom: (first) => entriesIn(bytes.subarray(ENTRIES_AT), first),
  };
}

/** Deletes a journal. */
export function removeJournal(folder: string, number: number): void {
  const ours = readdirSync(folder).filter((name) => Number(NAME.exec(name)?.[1]) === number);
  for (const name of ours) rmSync(join(folder, name), { force: true });
}

function tailPath({ folder, number }: Pick<JournalOptions, 'folder' | 'number'>): string {
  return join(folder, `audit-${String(number).padStart(8, '0')}.tail`);
}

/** What the whole frames hold whose numbers go on from `first`, copied. */
function entriesIn(bytes: Uint8Array, first: number): Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const frame = parseFrame(bytes.subarray(at));
    if (frame?.number !== first + found.length) return found;
    found.push(new Uint8Array(frame.content));
    at += FRAME_HEAD_BYTES + frame.content.length;
  }
}
