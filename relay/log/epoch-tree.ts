/**
 * The tree of one epoch in memory: hashes in tiles, entries in compressed bundles, and the way from a transfer to its
 * newest leaf. Hashes are copied out of their digests: a million small objects would cost six times their bytes.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { equalBytes } from '../../protocol/bytes.ts';
import { GrowingTree } from '../../protocol/growing-tree.ts';
import { HASH_BYTES, type Hasher, type HashReader, leafHash } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { encodeBundle, parseBundle, TILE_WIDTH, type Tile, tileOfEntries, tileReader } from '../../protocol/tile.ts';

const TILE_HEIGHT = 8;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;
const LEVEL = 3;
/** Of an unpacked bundle: 256 entries of the longest length and their lengths. */
const MAX_BUNDLE_BYTES = TILE_WIDTH * (65_535 + 2);
/** What a transfer costs in the index: its id and its place in the map. */
const INDEXED_BYTES = 112;

export class EpochTree {
  readonly #hasher: Hasher;
  readonly #growing: GrowingTree;
  /** By level, then by index: whole tiles and the one that grows, each with room for all of its hashes. */
  readonly #tiles: Uint8Array[][] = [];
  /** Compressed, by index. */
  readonly #bundles: Uint8Array[] = [];
  /** Entries of the bundle that grows. */
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  #packedBytes = 0;
  readonly #byTransfer = new Map<string, number>();

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
    this.#growing = new GrowingTree(hasher);
  }

  get size(): number {
    return this.#growing.size;
  }

  /** Bytes of memory that it takes, about. */
  get bytes(): number {
    const tiles = this.#tiles.reduce((sum, { length }) => sum + length, 0);
    return tiles * TILE_BYTES + this.#packedBytes + this.#tailBytes + this.#byTransfer.size * INDEXED_BYTES;
  }

  /** The root of all leaves. */
  root(): Uint8Array {
    return new Uint8Array(this.#growing.root());
  }

  /**
   * Adds an entry, of a transfer if it is about one. Returns its leaf hash, and the compressed bundle that it completed,
   * which was compared with its tile; refuses `log-tile-invalid` when they differ.
   */
  append(entry: Uint8Array, transferId?: string): { readonly leaf: Uint8Array; readonly sealed: Uint8Array | null } {
    const leaf = leafHash(this.#hasher, entry);
    const index = this.size;
    this.#growing.append(leaf, (height, place, hash) => {
      if (height % TILE_HEIGHT === 0) this.#keep(height / TILE_HEIGHT, place, hash);
    });
    this.#tail.push(entry);
    this.#tailBytes += entry.length;
    if (transferId !== undefined) this.#byTransfer.set(transferId, index);
    return { leaf, sealed: this.#tail.length === TILE_WIDTH ? this.#seal() : null };
  }

  /** The newest leaf about a transfer. */
  indexOf(transferId: string): number | undefined {
    return this.#byTransfer.get(transferId);
  }

  /** Hashes of subtrees of the tree of the first `size` leaves. */
  reader(size: number): HashReader {
    return tileReader(this.#hasher, size, (tile) => this.tile(tile, size)!);
  }

  /** The hashes of a tile of the tree of the first `size` leaves (a view); undefined when that tree has no such tile. */
  tile({ level, index, width }: Tile, size: number): Uint8Array | undefined {
    if (level === 'entries' || index * TILE_WIDTH + width > Math.floor(size / TILE_WIDTH ** level)) return undefined;
    return this.#tiles[level]?.[index]?.subarray(0, width * HASH_BYTES);
  }

  /** The entries of a bundle of the tree of the first `size` leaves; undefined when that tree has no such bundle. */
  bundle({ index, width }: Tile, size: number): Uint8Array | undefined {
    if (index * TILE_WIDTH + width > size) return undefined;
    return encodeBundle(this.#entries(index).slice(0, width));
  }

  /** The bytes of a leaf that the tree has. */
  entry(index: number): Uint8Array {
    return this.#entries(Math.floor(index / TILE_WIDTH))[index % TILE_WIDTH]!;
  }

  /** A packed bundle by its index: what `sealed` gave. */
  packed(index: number): Uint8Array {
    return this.#bundles[index]!;
  }

  #entries(index: number): Uint8Array[] {
    const packed = this.#bundles[index];
    return packed ? unpackBundle(packed) : this.#tail;
  }

  #keep(level: number, index: number, hash: Uint8Array): void {
    this.#tiles[level] ??= [];
    const tiles = this.#tiles[level];
    const place = Math.floor(index / TILE_WIDTH);
    tiles[place] ??= new Uint8Array(TILE_BYTES);
    tiles[place].set(hash, (index % TILE_WIDTH) * HASH_BYTES);
  }

  #seal(): Uint8Array {
    const packed = packBundle(this.#tail);
    const again = tileOfEntries(this.#hasher, unpackBundle(packed));
    if (!equalBytes(again, this.#tiles[0]![this.#bundles.length]!)) {
      throw new Problem('log-tile-invalid', `bundle ${this.#bundles.length} does not have the hashes of its tile`);
    }
    this.#bundles.push(packed);
    this.#packedBytes += packed.length;
    this.#tail = [];
    this.#tailBytes = 0;
    return packed;
  }
}

/** The entries of a full bundle, compressed (zstd). */
function packBundle(entries: readonly Uint8Array[]): Uint8Array {
  const params = { [constants.ZSTD_c_compressionLevel]: LEVEL };
  return new Uint8Array(zstdCompressSync(encodeBundle(entries), { params }));
}

/** The entries of a compressed full bundle; refuses `log-tile-invalid`. */
export function unpackBundle(packed: Uint8Array): Uint8Array[] {
  let plain: Uint8Array;
  try {
    plain = zstdDecompressSync(packed, { maxOutputLength: MAX_BUNDLE_BYTES });
  } catch {
    throw new Problem('log-tile-invalid', `${packed.length} bytes are no compressed bundle`);
  }
  return parseBundle(plain, TILE_WIDTH);
}
