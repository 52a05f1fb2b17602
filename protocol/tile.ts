/**
 * Tiles: the Merkle tree cut into resources that never change, 256 hashes each (C2SP tlog-tiles).
 *
 * A tile of level L holds the hashes of complete subtrees of height 8 L. An entry bundle holds the entries whose
 * hashes stand in the tile of level 0 with the same index.
 */
import { ByteReader, concat } from './bytes.ts';
import { HASH_BYTES, type Hasher, type HashReader, leafHash, nodeHash } from './merkle.ts';
import { Problem } from './problem.ts';

/** Hashes in a full tile, entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Levels of the tree in one tile. */
const TILE_HEIGHT = 8;
const MAX_ENTRY_BYTES = 65_535;
/** `tile/`, a level of two digits or `entries`, six groups of an index, and a width. */
const MAX_PATH_CHARACTERS = 48;
const PATH = /^tile\/(\d+|entries)\/((?:x\d{3}\/)*\d{3})(?:\.p\/(\d+))?$/;

/** Names a tile, or with the level `entries` a bundle. */
export interface Tile {
  readonly level: number | 'entries';
  readonly index: number;
  /** 256 when it is full, else 1 to 255. */
  readonly width: number;
}

/** `tile/<L>/<N>[.p/<W>]`, the path of a tile below the log's prefix. */
export function tilePath({ level, index, width }: Tile): string {
  const digits = String(index);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g)!;
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${level}/${path}${width === TILE_WIDTH ? '' : `.p/${width}`}`;
}

/** The tile of a path, which may come from a stranger; refuses `log-tile-invalid`. */
export function parseTilePath(path: string): Tile {
  const [, level, groups, width] = (path.length <= MAX_PATH_CHARACTERS && PATH.exec(path)) || [];
  const tile: Tile = {
    level: level === 'entries' ? level : Number(level),
    index: Number(groups?.replace(/[x/]/g, '')),
    width: width === undefined ? TILE_WIDTH : Number(width),
  };
  const partial = tile.width >= 1 && tile.width < TILE_WIDTH;
  // Written anew, a path with superfluous zeros is another one.
  if (!(width === undefined || partial) || !exists(tile) || tilePath(tile) !== path) {
    throw new Problem('log-tile-invalid', 'the path is not tile/LEVEL/INDEX, or tile/LEVEL/INDEX.p/WIDTH, of any tree');
  }
  return tile;
}

/** The tiles and bundles that a tree of `size` leaves has and one of `oldSize` has not, lower levels first. */
export function* newTiles(oldSize: number, size: number): Generator<Tile> {
  yield* newTilesOf('entries', oldSize, size);
  for (let level = 0, span = 1; span <= size; level++, span *= TILE_WIDTH) {
    yield* newTilesOf(level, Math.floor(oldSize / span), Math.floor(size / span));
  }
}

/** The tile of `level` that holds hash `index` of that level, as wide as a tree of `size` leaves has it. */
export function tileOf(level: number, index: number, size: number): Tile {
  const hashes = Math.floor(size / TILE_WIDTH ** level);
  const tile = Math.floor(index / TILE_WIDTH);
  return { level, index: tile, width: Math.min(TILE_WIDTH, hashes - tile * TILE_WIDTH) };
}

/**
 * Reads the hashes of subtrees of a tree of `size` leaves from its tiles; `readTile` gives the bytes of one. Refuses
 * `log-tile-invalid` for a tile of another length.
 */
export function tileReader(hasher: Hasher, size: number, readTile: (tile: Tile) => Uint8Array): HashReader {
  return (height, index) => {
    const level = Math.floor(height / TILE_HEIGHT);
    const count = 2 ** (height % TILE_HEIGHT);
    const tile = tileOf(level, index * count, size);
    const bytes = readTile(tile);
    requireWidth(bytes, tile.width);
    return subtreeRoot(hasher, hashesIn(bytes, (index * count) % TILE_WIDTH, count));
  };
}

/** The hashes in the bytes of a tile (views, not copies); refuses `log-tile-invalid`. */
export function tileHashes(bytes: Uint8Array, width: number): Uint8Array[] {
  requireWidth(bytes, width);
  return hashesIn(bytes, 0, width);
}

/** The bundle of 1 to 256 entries of at most 65,535 bytes each; refuses `log-tile-invalid`. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  const longest = Math.max(0, ...entries.map((entry) => entry.length));
  if (entries.length < 1 || entries.length > TILE_WIDTH || longest > MAX_ENTRY_BYTES) {
    throw new Problem('log-tile-invalid', `${entries.length} entries of up to ${longest} bytes are no bundle`);
  }
  const bundle = new Uint8Array(entries.reduce((sum, { length }) => sum + 2 + length, 0));
  let at = 0;
  for (const entry of entries) {
    bundle[at] = entry.length >> 8;
    bundle[at + 1] = entry.length & 255;
    bundle.set(entry, at + 2);
    at += 2 + entry.length;
  }
  return bundle;
}

/** The entries of a bundle (views, not copies) that must hold `width` of them; refuses `log-tile-invalid`. */
export function parseBundle(bytes: Uint8Array, width: number): Uint8Array[] {
  const reader = new ByteReader(bytes, 'log-tile-invalid');
  const entries = Array.from({ length: width }, () => reader.bytes(reader.u16()));
  reader.end();
  return entries;
}

/** The tile of level 0 that belongs to the entries of a bundle. */
export function tileOfEntries(hasher: Hasher, entries: readonly Uint8Array[]): Uint8Array {
  return concat(...entries.map((entry) => leafHash(hasher, entry)));
}

function requireWidth(bytes: Uint8Array, width: number): void {
  const expected = width * HASH_BYTES;
  if (bytes.length === expected) return;
  throw new Problem('log-tile-invalid', `a tile of ${width} hashes has ${expected} bytes, not ${bytes.length}`);
}

function hashesIn(bytes: Uint8Array, first: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) =>
    bytes.subarray((first + i) * HASH_BYTES, (first + i + 1) * HASH_BYTES),
  );
}

function* newTilesOf(level: Tile['level'], from: number, to: number): Generator<Tile> {
  if (from === to) return;
  for (let index = Math.floor(from / TILE_WIDTH); index * TILE_WIDTH < to; index++) {
    yield { level, index, width: Math.min(TILE_WIDTH, to - index * TILE_WIDTH) };
  }
}

/** True when a tree of at most 2^53 - 1 leaves can have the tile. */
function exists({ level, index, width }: Tile): boolean {
  const span = level === 'entries' ? 1 : TILE_WIDTH ** level;
  return (index * TILE_WIDTH + width) * span <= Number.MAX_SAFE_INTEGER;
}

/** The root of a power of two of hashes. */
function subtreeRoot(hasher: Hasher, hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 1) return hashes[0]!;
  const middle = hashes.length / 2;
  return nodeHash(hasher, subtreeRoot(hasher, hashes.slice(0, middle)), subtreeRoot(hasher, hashes.slice(middle)));
}
