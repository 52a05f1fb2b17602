/**
 * The tree of one epoch in memory: hashes in tiles, entries in compressed bundles, and the way from a transfer to its
 * newest leaf. Full bundles are in the journal's files once they are written there, and here when there is no journal.
 * Hashes are copied out of their digests: a million small objects would cost six times their bytes.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import { GrowingTree } from '../../protocol/growing-tree.ts';
import { HASH_BYTES, type Hasher, type HashReader, leafHash } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { encodeBundle, TILE_WIDTH, type Tile, tileOfEntries, tileReader } from '../../protocol/tile.ts';
import type { BundleFiles, KeptBundle } from './bundle-files.ts';
import { packBundle, unpackBundle } from './packed-bundle.ts';
import { TransferIndex } from './transfer-index.ts';

const TILE_HEIGHT = 8;
const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

export class EpochTree {
  readonly #hasher: Hasher;
  readonly #growing: GrowingTree;
  /** Where written bundles are; null when they stay here. */
  readonly #files: BundleFiles | null;
  /** By level from 1 on, then by index: whole tiles and the one that grows, each with room for all of its hashes. */
  readonly #upper: Uint8Array[][] = [];
  /** The tile of level 0 that grows, and the entries of its bundle. */
  #leaves = new Uint8Array(TILE_BYTES);
  #tail: Uint8Array[] = [];
  #tailBytes = 0;
  /** Full bundles that are not in the files: all from index `#firstHere` on. */
  #here: KeptBundle[] = [];
  #hereBytes = 0;
  #firstHere = 0;
  /** Full bundles from the first on whose entries were dropped. */
  #dropped = 0;
  readonly #byTransfer = new TransferIndex();

  /** An empty tree. `files` hold the first bundles of the tree, or none yet. */
  constructor(hasher: Hasher, files: BundleFiles | null) {
    this.#hasher = hasher;
    this.#files = files;
    this.#growing = new GrowingTree(hasher);
  }

  get size(): number {
    return this.#growing.size;
  }

  /** How many bundles are full. */
  get bundles(): number {
    return Math.floor(this.size / TILE_WIDTH);
  }

  /** How many bundles, from the first on, have no entries any more. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Bytes of memory that it takes here, without the files. */
  get bytes(): number {
    const upper = this.#upper.reduce((sum, { length }) => sum + length, 0);
    return (1 + upper) * TILE_BYTES + this.#hereBytes + this.#tailBytes + this.#byTransfer.bytes;
  }

  /** The root of all leaves. */
  root(): Uint8Array {
    return new Uint8Array(this.#growing.root());
  }

  /**
   * Adds an entry, of a transfer if it is about one, and gives its leaf hash. A bundle that it completes is compressed
   * and compared with its tile; refuses `log-tile-invalid` when they differ.
   */
  append(entry: Uint8Array, transferId?: string): Uint8Array {
    const leaf = leafHash(this.#hasher, entry);
    const index = this.size;
    this.#add(leaf);
    this.#tail.push(entry);
    this.#tailBytes += entry.length;
    if (transferId !== undefined) this.#byTransfer.set(transferId, index);
    if (this.#tail.length === TILE_WIDTH) this.#seal();
    return leaf;
  }

  /**
   * Adds a full bundle that the files have, where no entries wait. `transferOf` tells of each entry which transfer it is
   * about. Refuses `log-tile-invalid` when entries and hashes differ.
   */
  adopt({ tile, packed }: KeptBundle, transferOf: (entry: Uint8Array) => string | undefined): void {
    const first = this.size;
    if (packed) {
      const entries = unpackBundle(packed);
      this.#requireSame(tileOfEntries(this.#hasher, entries), tile);
      for (const [i, entry] of entries.entries()) {
        const transferId = transferOf(entry);
        if (transferId !== undefined) this.#byTransfer.set(transferId, first + i);
      }
    } else {
      this.#dropped = this.bundles + 1;
    }
    for (let at = 0; at < TILE_BYTES; at += HASH_BYTES) this.#add(tile.subarray(at, at + HASH_BYTES));
    this.#firstHere = this.bundles;
  }

  /** The newest leaf about a transfer. */
  indexOf(transferId: string): number | undefined {
    return this.#byTransfer.get(transferId);
  }

  /** Hashes of subtrees of the tree of the first `size` leaves. */
  reader(size: number): HashReader {
    return tileReader(this.#hasher, size, (tile) => this.tile(tile, size)!);
  }

  /** The hashes of a tile of the tree of the first `size` leaves; undefined when that tree has no such tile. */
  tile({ level, index, width }: Tile, size: number): Uint8Array | undefined {
    if (level === 'entries' || index * TILE_WIDTH + width > Math.floor(size / TILE_WIDTH ** level)) return undefined;
    const tile = level === 0 ? this.#leafTile(index) : this.#upper[level - 1]?.[index];
    return tile?.subarray(0, width * HASH_BYTES);
  }

  /** The entries of a bundle of the tree of the first `size` leaves; undefined when it has none, or not any more. */
  bundle({ index, width }: Tile, size: number): Uint8Array | undefined {
    if (index * TILE_WIDTH + width > size) return undefined;
    const entries = this.#entries(index);
    return entries && encodeBundle(entries.slice(0, width));
  }

  /** The bytes of a leaf that the tree has and that was not dropped. */
  entry(index: number): Uint8Array {
    return this.#entries(Math.floor(index / TILE_WIDTH))![index % TILE_WIDTH]!;
  }

  /** A full bundle by its index. */
  full(index: number): KeptBundle {
    return index < this.#firstHere ? this.#files!.bundle(index) : this.#here[index - this.#firstHere]!;
  }

  /** Drops the entries of the full bundles below `below`, and keeps their hashes. Throws what the system throws. */
  drop(below: number): void {
    this.#leaveToFiles();
    const inFiles = Math.min(below, this.#firstHere);
    if (this.#dropped < inFiles) this.#files!.drop(this.#dropped, inFiles);
    for (let index = Math.max(this.#dropped, this.#firstHere); index < below; index++) {
      const { tile, packed } = this.full(index);
      this.#here[index - this.#firstHere] = { tile, packed: null };
      this.#hereBytes -= packed!.length;
    }
    this.#dropped = Math.max(this.#dropped, below);
  }

  #entries(index: number): Uint8Array[] | undefined {
    if (index >= this.bundles) return this.#tail;
    const packed = index < this.#dropped ? null : this.full(index).packed;
    return packed ? unpackBundle(packed) : undefined;
  }

  #leafTile(index: number): Uint8Array | undefined {
    if (index >= this.bundles) return this.#leaves;
    return index < this.#firstHere ? this.#files!.tile(index) : this.#here[index - this.#firstHere]?.tile;
  }

  #add(leaf: Uint8Array): void {
    this.#growing.append(leaf, (height, index, hash) => {
      if (height === 0) this.#leaves.set(hash, (index % TILE_WIDTH) * HASH_BYTES);
      else if (height % TILE_HEIGHT === 0) this.#keepUpper(height / TILE_HEIGHT, index, hash);
    });
  }

  #keepUpper(level: number, index: number, hash: Uint8Array): void {
    this.#upper[level - 1] ??= [];
    const tiles = this.#upper[level - 1]!;
    const place = Math.floor(index / TILE_WIDTH);
    tiles[place] ??= new Uint8Array(TILE_BYTES);
    tiles[place].set(hash, (index % TILE_WIDTH) * HASH_BYTES);
  }

  #seal(): void {
    const packed = packBundle(this.#tail);
    this.#requireSame(tileOfEntries(this.#hasher, unpackBundle(packed)), this.#leaves);
    this.#leaveToFiles();
    this.#here.push({ tile: this.#leaves, packed });
    this.#hereBytes += TILE_BYTES + packed.length;
    this.#leaves = new Uint8Array(TILE_BYTES);
    this.#tail = [];
    this.#tailBytes = 0;
  }

  /** Lets go of the bundles that the files have by now. */
  #leaveToFiles(): void {
    const written = (this.#files?.count ?? 0) - this.#firstHere;
    if (written <= 0) return;
    for (const { packed } of this.#here.splice(0, written)) this.#hereBytes -= TILE_BYTES + (packed?.length ?? 0);
    this.#firstHere += written;
  }

  #requireSame(hashes: Uint8Array, tile: Uint8Array): void {
    if (equalBytes(hashes, tile)) return;
    throw new Problem('log-tile-invalid', `a bundle below ${this.size} does not have the hashes of its tile`);
  }
}
