/**
 * The full bundles of one epoch, in files in memory: of each the hashes of its entries and, until they are dropped, the
 * compressed entries. This is the only copy, so an epoch is not in memory twice.
 *
 *     audit-NUMBER-SEGMENT.bundles     16 bundles as frames, one after the other
 *
 * To drop entries a segment is written anew beside itself and takes its own name: a crash leaves one or the other.
 */
import { closeSync, constants, openSync, readSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HASH_BYTES } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { WriteAt } from '../store/slot-file.ts';
import { encodeFrame, FRAME_HEAD_BYTES, parseFrame } from './journal-frame.ts';

/** Bundles in a file. */
export const SEGMENT_BUNDLES = 16;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
/** Hashes, and 256 records as long as they can be, which do not get longer by more than this in the packing. */
const MAX_FRAME_BYTES = FRAME_HEAD_BYTES + TILE_BYTES + TILE_WIDTH * 16_386 + 65_536;

export interface BundleFilesOptions {
  /** An existing private folder in memory. */
  readonly folder: string;
  readonly number: number;
  readonly write: WriteAt;
}

/** One bundle as it is kept. */
export interface KeptBundle {
  /** The hashes of its entries: a whole tile of level 0. */
  readonly tile: Uint8Array;
  /** Its entries, compressed; null once they were dropped. */
  readonly packed: Uint8Array | null;
}

export class BundleFiles {
  readonly #options: BundleFilesOptions;
  /** By bundle: where its frame begins in its segment, and how long it is. */
  readonly #starts: number[] = [];
  readonly #lengths: number[] = [];
  #bytes = 0;
  /** The segment that grows. */
  #fd: number | null = null;

  constructor(options: BundleFilesOptions) {
    this.#options = options;
  }

  /** How many bundles it has. */
  get count(): number {
    return this.#starts.length;
  }

  /** Bytes of memory that the files take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds the next bundle. Throws what the system throws, and can be called again. */
  put({ tile, packed }: KeptBundle): void {
    const at = this.count % SEGMENT_BUNDLES === 0 ? 0 : this.#starts.at(-1)! + this.#lengths.at(-1)!;
    const frame = encodeFrame(this.count, tile, packed ?? new Uint8Array(0));
    if (at === 0) this.close();
    this.#fd ??= openSync(
      this.#pathOf(this.count),
      constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW,
      0o600,
    );
    this.#options.write(this.#fd, frame, at);
    this.#note(at, frame.length);
  }

  /** Reads what an earlier process wrote, as far as it is whole, and hands over each bundle in turn. */
  load(take: (bundle: KeptBundle) => void): void {
    for (let more = true; more; ) {
      const fd = openIfThere(this.#pathOf(this.count));
      if (fd === null) return;
      try {
        more = this.#loadSegment(fd, take);
      } finally {
        closeSync(fd);
      }
    }
  }

  /** The hashes of a bundle's entries. Throws what the system throws; refuses `log-tile-invalid`. */
  tile(index: number): Uint8Array {
    return this.#read(index, FRAME_HEAD_BYTES + TILE_BYTES).subarray(FRAME_HEAD_BYTES);
  }

  /** A bundle. Throws what the system throws; refuses `log-tile-invalid` when it is not as it was written. */
  bundle(index: number): KeptBundle {
    const frame = parseFrame(this.#read(index, this.#lengths[index]!));
    if (frame?.number !== index) throw new Problem('log-tile-invalid', `bundle ${index} is damaged in the journal`);
    return bundleOf(frame.content);
  }

  /** Drops the entries of the bundles from `from` to `below` - 1, which are of one segment. Throws what the system throws. */
  drop(from: number, below: number): void {
    const first = from - (from % SEGMENT_BUNDLES);
    const path = this.#pathOf(from);
    const beside = `${path}.new`;
    const end = Math.min(first + SEGMENT_BUNDLES, this.count);
    const starts: number[] = [];
    let at = 0;
    rmSync(beside, { force: true });
    const fd = openSync(
      beside,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      for (let index = first; index < end; index++) {
        const { tile, packed } = this.bundle(index);
        const frame = encodeFrame(index, tile, index < below || !packed ? new Uint8Array(0) : packed);
        this.#options.write(fd, frame, at);
        starts.push(at);
        at += frame.length;
      }
      renameSync(beside, path);
    } finally {
      closeSync(fd);
    }
    if (end === this.count) this.close();
    for (const [i, start] of starts.entries()) {
      const length = (starts[i + 1] ?? at) - start;
      this.#bytes += length - this.#lengths[first + i]!;
      this.#starts[first + i] = start;
      this.#lengths[first + i] = length;
    }
  }

  /** Lets go of the file that grows. All can be read as before. */
  close(): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #loadSegment(fd: number, take: (bundle: KeptBundle) => void): boolean {
    for (let at = 0; ; ) {
      const frame = readFrame(fd, at);
      if (frame?.number !== this.count || frame.content.length < TILE_BYTES) return false;
      take(bundleOf(frame.content));
      this.#note(at, FRAME_HEAD_BYTES + frame.content.length);
      at += FRAME_HEAD_BYTES + frame.content.length;
      if (this.count % SEGMENT_BUNDLES === 0) return true;
    }
  }

  #note(start: number, length: number): void {
    this.#starts.push(start);
    this.#lengths.push(length);
    this.#bytes += length;
  }

  /** The first `length` bytes of the frame of a bundle. */
  #read(index: number, length: number): Uint8Array {
    const fd = openSync(this.#pathOf(index), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      const bytes = new Uint8Array(length);
      if (readSync(fd, bytes, 0, length, this.#starts[index]!) === length) return bytes;
      throw new Problem('log-tile-invalid', `the journal ends before bundle ${index}`);
    } finally {
      closeSync(fd);
    }
  }

  #pathOf(index: number): string {
    const { folder, number } = this.#options;
    return segmentPath(folder, number, Math.floor(index / SEGMENT_BUNDLES));
  }
}

/** The file of a segment of an epoch's bundles. */
function segmentPath(folder: string, number: number, segment: number): string {
  return join(folder, `audit-${String(number).padStart(8, '0')}-${String(segment).padStart(4, '0')}.bundles`);
}

function bundleOf(content: Uint8Array): KeptBundle {
  const isWhole = content.length > TILE_BYTES;
  return { tile: content.subarray(0, TILE_BYTES), packed: isWhole ? content.subarray(TILE_BYTES) : null };
}

function openIfThere(path: string): number | null {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** The frame at an offset; undefined unless it is whole. */
function readFrame(fd: number, at: number) {
  const head = Buffer.alloc(4);
  if (readSync(fd, head, 0, 4, at) < 4) return undefined;
  const length = FRAME_HEAD_BYTES + head.readUInt32BE(0);
  if (length > MAX_FRAME_BYTES) return undefined;
  const frame = new Uint8Array(length);
  return parseFrame(frame.subarray(0, readSync(fd, frame, 0, length, at)));
}
