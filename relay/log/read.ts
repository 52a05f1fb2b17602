/**
 * Reading an epoch of the audit log: its newest head, tiles as wide as somebody asks for, records. What is not there is
 * refused with `not-available`, like everything that a stranger asks for in vain.
 */
import { utf8 } from '../../protocol/bytes.ts';
import { HASH_BYTES, type Hasher, type HashReader } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { encodeBundle, parseBundle, TILE_WIDTH, type Tile, tileOf, tileReader } from '../../protocol/tile.ts';
import type { EpochView, LogView, PublishedHead } from './log-view.ts';

/** The epoch of an origin; the newest one that has a head when none is named. */
export function epochOf(log: LogView, origin: string | undefined): EpochView {
  const epoch = log.epochs.findLast(
    (each) => (origin === undefined || each.origin === origin) && each.heads.length > 0,
  );
  return epoch ?? missing(`no epoch with a head${origin === undefined ? '' : ' of that origin'} is kept`);
}

/** The kept epoch with this SHA-256 of its origin in hex; it may have no head yet. */
export function epochById(hasher: Hasher, log: LogView, id: string): EpochView {
  const epoch = log.epochs.find(({ origin }) => toHex(hasher.sha256(utf8(origin))) === id);
  return epoch ?? missing('no epoch of that name is kept');
}

/** Leaves that may be read: those below the newest head, of a closed epoch all. */
export function shownSize({ tail, heads }: Pick<EpochView, 'tail' | 'heads'>): number {
  return tail?.size ?? newestHead({ heads }).size;
}

/** The newest head of an epoch that `epochOf` gave. */
export function newestHead({ heads }: Pick<EpochView, 'heads'>): PublishedHead {
  return heads.at(-1) ?? missing('no head is signed yet');
}

/** The newest head of that size, or of any. */
export function headOfSize({ heads }: Pick<EpochView, 'heads'>, size: number | undefined): PublishedHead {
  return (
    heads.findLast((head) => size === undefined || head.size === size) ?? missing(`no head of size ${size} is kept`)
  );
}

/** The bytes of a tile: also of a partial one of an earlier head, which is the beginning of the one that is kept. */
export function readTile(epoch: EpochView, tile: Tile): Uint8Array {
  const { bytes, width } = widest(epoch, tile, (kept) => epoch.tile(kept));
  return width === tile.width ? bytes : bytes.slice(0, tile.width * HASH_BYTES);
}

/** The bytes of an entry bundle, likewise. */
export function readBundle(epoch: EpochView, tile: Tile): Uint8Array {
  const { bytes, width } = widest(epoch, tile, (kept) => epoch.bundle(kept));
  return width === tile.width ? bytes : encodeBundle(parseBundle(bytes, width).slice(0, tile.width));
}

/** At most `limit` records, at most as many as a bundle has, from index `from` on. */
export function readRecords(epoch: EpochView, from: number, limit: number): Uint8Array[] {
  const size = shownSize(epoch);
  const below = Math.min(size, from + limit);
  if (from >= below) missing(`record ${from} is not below ${size}`);
  const first = Math.floor(from / TILE_WIDTH);
  const last = Math.floor((below - 1) / TILE_WIDTH);
  const bundles = first === last ? [first] : [first, last];
  const records = bundles.flatMap((index) => {
    const tile: Tile = { ...tileOf(0, index * TILE_WIDTH, size), level: 'entries' };
    return parseBundle(readBundle(epoch, tile), tile.width);
  });
  return records.slice(from - first * TILE_WIDTH, below - first * TILE_WIDTH);
}

/** The hashes of the tree of `size` leaves, from its tiles: a proof reads a few tiles however large the tree is. */
export function hashesOf(hasher: Hasher, epoch: EpochView, size: number): HashReader {
  return tileReader(hasher, size, (tile) => readTile(epoch, tile));
}

function widest(
  epoch: EpochView,
  { level, index, width }: Tile,
  read: (tile: Tile) => Uint8Array | undefined,
): { readonly bytes: Uint8Array; readonly width: number } {
  const kept = { ...tileOf(level === 'entries' ? 0 : level, index * TILE_WIDTH, shownSize(epoch)), level };
  const bytes = kept.width >= width ? read(kept) : undefined;
  return bytes ? { bytes, width: kept.width } : missing('the tree has no such tile, or it is no longer kept');
}

function missing(what: string): never {
  throw new Problem('not-available', what);
}
