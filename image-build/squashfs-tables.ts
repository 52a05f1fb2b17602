/**
 * The tables of a squashfs 4.0 with zstd: superblock, compressed blocks of metadata, owners, fragments. For images whose
 * signature and hashes were verified before; numbers are bounded all the same.
 */
import { zstdDecompressSync } from 'node:zlib';
import { Problem } from '../protocol/problem.ts';
import type { ImageFile } from './image-file.ts';

const METADATA = 8192;
const UNCOMPRESSED = 0x8000;
const DATA_UNCOMPRESSED = 1 << 24;
const ZSTD = 6;
const MAX_BLOCK = 1 << 20;

/** A place in a table: the start of a compressed block, and an offset in what it holds. */
export interface Place {
  readonly block: number;
  readonly offset: number;
}

export class SquashfsTables {
  readonly blockSize: number;
  readonly root: Place;
  readonly inodes: number;
  readonly directories: number;
  readonly #image: ImageFile;
  readonly #start: number;
  readonly #ids: number;
  readonly #fragments: number;
  readonly #blocks = new Map<number, { readonly bytes: Buffer; readonly next: number }>();

  /** The file system that begins at byte `start`; refuses `image-invalid` for another one. */
  constructor(image: ImageFile, start: number) {
    this.#image = image;
    this.#start = start;
    const superblock = image.read(start, 96);
    const [compressor, major] = [superblock.readUInt16LE(20), superblock.readUInt16LE(28)];
    this.blockSize = superblock.readUInt32LE(12);
    const isKnown = superblock.toString('latin1', 0, 4) === 'hsqs' && major === 4 && compressor === ZSTD;
    if (!isKnown || this.blockSize > MAX_BLOCK) throw damaged('its superblock is not that of a squashfs with zstd');
    this.root = { block: superblock.readUIntLE(34, 6), offset: superblock.readUInt16LE(32) };
    const table = (at: number): number => superblock.readUIntLE(at, 6);
    this.#ids = table(48);
    this.inodes = table(64);
    this.directories = table(72);
    this.#fragments = table(80);
  }

  /** `length` bytes of metadata from a place of the table that begins at `table`, over as many blocks as they take. */
  metadata(table: number, place: Place, length: number): Buffer {
    const found: Buffer[] = [];
    let { block, offset } = place;
    for (let missing = length; missing > 0; ) {
      const { bytes, next } = this.#block(table + block);
      const part = bytes.subarray(offset, offset + missing);
      if (part.length === 0) throw damaged('a table ends too early');
      found.push(part);
      missing -= part.length;
      [block, offset] = [next - table, 0];
    }
    return Buffer.concat(found);
  }

  /** Number of the owner or group with this index. */
  owner(index: number): number {
    return this.#entry(this.#ids, index, 4).readUInt32LE();
  }

  /** Where the bytes of fragment `index` are, and their size as `data` takes it. */
  fragment(index: number): { start: number; size: number } {
    const entry = this.#entry(this.#fragments, index, 16);
    return { start: entry.readUIntLE(0, 6), size: entry.readUInt32LE(8) };
  }

  /** Content of a block of data: its stored size says by a bit whether it is compressed. */
  data(start: number, size: number): Buffer {
    const stored = this.#image.read(this.#start + start, storedBytes(size));
    return size & DATA_UNCOMPRESSED ? stored : unpacked(stored, this.blockSize);
  }

  /** An entry of a table that is reached by a list of its blocks. */
  #entry(list: number, index: number, size: number): Buffer {
    const perBlock = METADATA / size;
    const block = this.#image.read(this.#start + list + 8 * Math.floor(index / perBlock), 8).readUIntLE(0, 6);
    return this.metadata(block, { block: 0, offset: (index % perBlock) * size }, size);
  }

  #block(at: number): { readonly bytes: Buffer; readonly next: number } {
    const known = this.#blocks.get(at);
    if (known) return known;
    const header = this.#image.read(this.#start + at, 2).readUInt16LE();
    const size = header & ~UNCOMPRESSED;
    const stored = this.#image.read(this.#start + at + 2, size);
    const block = { bytes: header & UNCOMPRESSED ? stored : unpacked(stored, METADATA), next: at + 2 + size };
    this.#blocks.set(at, block);
    return block;
  }
}

/** Bytes that a block of data takes in the file system, without the bit that says how. */
export function storedBytes(size: number): number {
  const bytes = size & ~DATA_UNCOMPRESSED;
  if (bytes > MAX_BLOCK) throw damaged(`a block takes ${bytes} bytes`);
  return bytes;
}

/** The refusal of a root that does not parse. */
export function damaged(why: string): Problem {
  return new Problem('image-invalid', `the root of the image does not parse: ${why}`);
}

function unpacked(stored: Buffer, limit: number): Buffer {
  try {
    return zstdDecompressSync(stored, { maxOutputLength: limit });
  } catch (thrown) {
    throw damaged(`a block does not decompress (${(thrown as Error).message})`);
  }
}
