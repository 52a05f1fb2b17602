/** One segment file of the spool: entries are appended and never changed; it goes when all of them were released. */
import { closeSync, constants, fstatSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { concat } from '../../protocol/bytes.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { syncPath } from '../lib/files.ts';
import { type Scan, SegmentCipher, type SpoolEntry, spanOf } from './spool-entry.ts';
import { SEGMENT_ID_BYTES, type SegmentOptions, type SegmentState, type SpoolDisk } from './spool-state.ts';

/** What is read at once where a larger piece cannot be read. */
const SECTOR_BYTES = 4096;
const NAME = /^segment-(\d{15})-([0-9a-f]{32})$/;

/** Number and id in the name of a segment file; null for another file. */
export function segmentOf(name: string): { number: number; id: Uint8Array } | null {
  const [, number, id] = NAME.exec(name) ?? [];
  return number === undefined ? null : { number: Number(number), id: fromHex(id!, SEGMENT_ID_BYTES) };
}

export class Segment {
  readonly number: number;
  readonly id: Uint8Array;
  readonly base: number;
  /** Numbers given out in it. */
  count: number;
  hasFiles: boolean;
  /** Bytes up to where the next entry goes. */
  size: number;
  readonly name: string;
  readonly #folder: string;
  readonly #cipher: SegmentCipher;
  readonly #disk: SpoolDisk;

  constructor(folder: string, state: SegmentState, options: SegmentOptions) {
    this.#folder = folder;
    this.number = state.number;
    this.id = state.id;
    this.base = state.base;
    this.count = state.count;
    this.hasFiles = state.hasFiles;
    this.name = `segment-${String(state.number).padStart(15, '0')}-${toHex(state.id)}`;
    this.#cipher = new SegmentCipher(options.engine, options.key(state.id), state.number);
    this.#disk = options.disk;
    this.size = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** One more than the last number given out. */
  get end(): number {
    return this.base + this.count;
  }

  /** Appends entries, durable when it returns. When it throws, none of them was taken. */
  append(entries: readonly SpoolEntry[]): void {
    let { size, count } = this;
    const parts = entries.map((entry) => {
      const part = this.#cipher.seal(entry, size, count);
      size += part.length;
      count += spanOf(entry);
      return part;
    });
    const file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      this.#disk.write(file, concat(...parts), this.size);
      this.#disk.sync(file);
      if (this.size === 0) syncPath(this.#folder);
    } catch (thrown) {
      this.#disk.truncate(file, this.size);
      throw thrown;
    } finally {
      closeSync(file);
    }
    this.size = size;
    this.count = count;
  }

  /**
   * Everything whole in it between the offset `from` and `size`. A file that is gone holds nothing; what the disk cannot
   * read counts as damaged.
   */
  scan(from = 0): Scan {
    return this.#cipher.scan(readSectors(this.#path, from, this.size), from);
  }

  /** Cuts off what stands behind `size`: an entry that a crash broke off. */
  truncate(size: number): void {
    if (this.size > size) {
      const file = openSync(this.#path, constants.O_RDWR);
      try {
        this.#disk.truncate(file, size);
      } finally {
        closeSync(file);
      }
    }
    this.size = size;
  }

  remove(): void {
    rmSync(this.#path, { force: true });
  }

  get #path(): string {
    return join(this.#folder, this.name);
  }
}

/** The bytes of a file from `from` to `to`, or its end; zeros where the disk gives none. */
function readSectors(path: string, from: number, to: number): Uint8Array {
  if (!statSync(path, { throwIfNoEntry: false })) return new Uint8Array(0);
  const file = openSync(path, 'r');
  try {
    const bytes = new Uint8Array(Math.max(0, Math.min(to, fstatSync(file).size) - from));
    for (let at = 0; at < bytes.length; ) at += readSome(file, bytes, at, from);
    return bytes;
  } finally {
    closeSync(file);
  }
}

/** Reads on at `at`; where that fails, a sector; where that fails too, gives zeros. */
function readSome(file: number, bytes: Uint8Array, at: number, from: number): number {
  for (const length of [bytes.length - at, Math.min(SECTOR_BYTES, bytes.length - at)]) {
    try {
      return readSync(file, bytes, at, length, from + at) || length;
    } catch {
      // the disk cannot read all of this piece
    }
  }
  return Math.min(SECTOR_BYTES, bytes.length - at);
}
