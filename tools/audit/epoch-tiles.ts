/** The hashes and entries in the tiles of an epoch's folder, whichever widths of them are there. */
import { HASH_BYTES, type Hasher, type HashReader } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { parseBundle, TILE_WIDTH, type Tile, tileHashes, tilePath, tileReader } from '../../protocol/tile.ts';
import type { EpochFiles } from './epoch-files.ts';

/** The narrowest tile or bundle of the folder that holds `tile`; undefined when none does. */
export function heldIn(folder: EpochFiles, { level, index, width }: Tile): Tile | undefined {
  const found = folder.widths(level, index).find((each) => each >= width);
  return found === undefined ? undefined : { level, index, width: found };
}

/** The first hashes of a tile, as many as it is wide; refuses `log-missing`, `log-tile-invalid` and `file-invalid`. */
export function readHashes(folder: EpochFiles, tile: Tile): Uint8Array[] {
  const held = required(folder, tile);
  return tileHashes(folder.read({ kind: 'tile', tile: held })!, held.width).slice(0, tile.width);
}

/** The first entries of a bundle, likewise. */
export function readEntries(folder: EpochFiles, tile: Tile): Uint8Array[] {
  const held = required(folder, tile);
  return parseBundle(folder.read({ kind: 'tile', tile: held })!, held.width).slice(0, tile.width);
}

/** Reads the subtrees of a tree of `size` leaves from the folder's hash tiles, which nothing vouches for. */
export function folderReader(hasher: Hasher, folder: EpochFiles, size: number): HashReader {
  return tileReader(hasher, size, (tile) => {
    const bytes = folder.read({ kind: 'tile', tile: required(folder, tile) })!;
    return bytes.subarray(0, tile.width * HASH_BYTES);
  });
}

/** The entry of leaf `index` of a tree of `size` leaves. */
export function readEntry(folder: EpochFiles, index: number, size: number): Uint8Array {
  const bundle = Math.floor(index / TILE_WIDTH);
  const width = Math.min(TILE_WIDTH, size - bundle * TILE_WIDTH);
  return readEntries(folder, { level: 'entries', index: bundle, width })[index % TILE_WIDTH]!;
}

function required(folder: EpochFiles, tile: Tile): Tile {
  const held = heldIn(folder, tile);
  if (!held) throw new Problem('log-missing', `${tilePath(tile)} is not there, nor a wider one`);
  return held;
}
