/** A tree that grows leaf by leaf and hands over each of its tiles when it is full, at the end also those that are not. */
import { GrowingTree } from '../../protocol/growing-tree.ts';
import type { Hasher, HashReader } from '../../protocol/merkle.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';

/** Levels of the tree in one tile. */
const TILE_HEIGHT = 8;

/** Hears of a tile: its level, its index, its hashes. */
export type OnTile = (level: number, index: number, hashes: readonly Uint8Array[]) => void;

/** A tree that is there already. */
export interface Beginning {
  readonly size: number;
  readonly read: HashReader;
}

const EMPTY: Beginning = {
  size: 0,
  read: () => {
    throw new RangeError('nothing is there');
  },
};

export class GrowingTiles {
  readonly #tree: GrowingTree;
  readonly #onTile: OnTile;
  /** By level, the tile that grows. */
  readonly #growing: { index: number; hashes: Uint8Array[] }[] = [];

  /** Goes on behind the first `size` leaves of what `read` gives the hashes of; without it, from nothing. */
  constructor(hasher: Hasher, onTile: OnTile, { size, read }: Beginning = EMPTY) {
    this.#tree = GrowingTree.of(hasher, size, read);
    this.#onTile = onTile;
    for (let [level, count] = [0, size]; count > 0; level++, count = Math.floor(count / TILE_WIDTH)) {
      const [index, width] = [Math.floor(count / TILE_WIDTH), count % TILE_WIDTH];
      const hashes = Array.from({ length: width }, (_, i) => read(level * TILE_HEIGHT, index * TILE_WIDTH + i));
      this.#growing.push({ index, hashes });
    }
  }

  get size(): number {
    return this.#tree.size;
  }

  root(): Uint8Array {
    return this.#tree.root();
  }

  append(leaf: Uint8Array): void {
    this.#tree.append(leaf, (height, _, hash) => {
      if (height % TILE_HEIGHT === 0) this.#grow(height / TILE_HEIGHT, hash);
    });
  }

  /** Hands over the tiles that did not become full; nothing is appended any more. */
  end(): void {
    for (const [level, { index, hashes }] of this.#growing.entries()) {
      if (hashes.length > 0) this.#onTile(level, index, hashes);
    }
  }

  #grow(level: number, hash: Uint8Array): void {
    this.#growing[level] ??= { index: 0, hashes: [] };
    const tile = this.#growing[level];
    tile.hashes.push(hash);
    if (tile.hashes.length < TILE_WIDTH) return;
    this.#onTile(level, tile.index, tile.hashes);
    tile.index += 1;
    tile.hashes = [];
  }
}
