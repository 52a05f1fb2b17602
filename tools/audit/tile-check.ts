/**
 * Grows the tree of an epoch leaf by leaf and compares every hash tile of a folder with it: level 0 by who feeds the
 * leaves, the levels above here, in each width that is there.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { GrowingTree } from '../../protocol/growing-tree.ts';
import { toBase64 } from '../../protocol/text.ts';
import { TILE_WIDTH, type Tile, tileHashes } from '../../protocol/tile.ts';
import type { EpochFolder } from './epoch-folder.ts';
import { heldIn } from './epoch-tiles.ts';
import type { EpochPlace } from './export-folder.ts';
import type { Findings } from './findings.ts';
import { pathIn } from './signed-epoch.ts';

const TILE_HEIGHT = 8;

export class TileCheck {
  readonly #place: EpochPlace;
  readonly #folder: EpochFolder;
  readonly #findings: Findings;
  readonly #tree: GrowingTree;
  /** Hashes of the tile that grows, by level from 1 on. */
  readonly #growing: { index: number; hashes: Uint8Array[] }[] = [];

  constructor(engine: Engine, place: EpochPlace, folder: EpochFolder, findings: Findings) {
    this.#place = place;
    this.#folder = folder;
    this.#findings = findings;
    this.#tree = new GrowingTree(engine);
  }

  get size(): number {
    return this.#tree.size;
  }

  root(): Uint8Array {
    return this.#tree.root();
  }

  append(leaf: Uint8Array): void {
    this.#tree.append(leaf, (height, _, hash) => {
      if (height > 0 && height % TILE_HEIGHT === 0) this.#grow(height / TILE_HEIGHT, hash);
    });
  }

  /** Compares the tiles that did not become full. */
  end(): void {
    for (const [i, { index, hashes }] of this.#growing.entries()) {
      if (hashes.length > 0) this.compare(i + 1, index, hashes);
    }
  }

  /** Compares a tile in every width that is there with the hashes that it must have so far; it has to be there. */
  compare(level: number, index: number, hashes: readonly Uint8Array[]): void {
    const whole = { level, index, width: hashes.length };
    if (!heldIn(this.#folder, whole)) {
      this.#findings.add(
        'log-missing',
        this.#path(whole),
        `the tile is not there: ${hashes.length} hashes of the tree`,
      );
    }
    for (const width of this.#folder.widths(level, index)) {
      const tile = { level, index, width };
      const held = this.#findings.attempt(this.#path(tile), () =>
        tileHashes(this.#folder.read({ kind: 'tile', tile })!, width),
      );
      const wrong = held?.findIndex((hash, i) => i < hashes.length && !equalBytes(hash, hashes[i]!)) ?? -1;
      if (wrong < 0) continue;
      const detail = `hash ${wrong} is ${toBase64(held![wrong]!)}, the records give ${toBase64(hashes[wrong]!)}`;
      const leaf = (index * TILE_WIDTH + wrong) * TILE_WIDTH ** level;
      this.#findings.add('log-tile-invalid', this.#path(tile), detail, leaf);
    }
  }

  #grow(level: number, hash: Uint8Array): void {
    this.#growing[level - 1] ??= { index: 0, hashes: [] };
    const tile = this.#growing[level - 1]!;
    tile.hashes.push(hash);
    if (tile.hashes.length < TILE_WIDTH) return;
    this.compare(level, tile.index, tile.hashes);
    tile.index += 1;
    tile.hashes = [];
  }

  #path(tile: Tile): string {
    return pathIn(this.#place, { kind: 'tile', tile });
  }
}
