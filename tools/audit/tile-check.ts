/** Compares a hash tile of an epoch's folder, in each width that is there, with the hashes that it must have. */
import { equalBytes } from '../../protocol/bytes.ts';
import { toBase64 } from '../../protocol/text.ts';
import { TILE_WIDTH, tileHashes } from '../../protocol/tile.ts';
import { heldIn } from './epoch-tiles.ts';
import type { Findings } from './findings.ts';
import { pathIn, type SignedEpoch } from './signed-epoch.ts';

/** The tile has to be there as wide as `hashes`, or wider. */
export function compareTile(
  { folder, place }: SignedEpoch,
  level: number,
  index: number,
  hashes: readonly Uint8Array[],
  findings: Findings,
): void {
  const whole = { level, index, width: hashes.length };
  const isInJournal = folder.hasJournal && hashes.length < TILE_WIDTH;
  if (!heldIn(folder, whole) && !isInJournal) {
    const file = pathIn(place, { kind: 'tile', tile: whole });
    findings.add('log-missing', file, `the tile is not there: ${hashes.length} hashes of the tree`);
  }
  for (const width of folder.widths(level, index)) {
    const tile = { level, index, width };
    const file = pathIn(place, { kind: 'tile', tile });
    const held = findings.attempt(file, () => tileHashes(folder.read({ kind: 'tile', tile })!, width));
    const wrong = held?.findIndex((hash, i) => i < hashes.length && !equalBytes(hash, hashes[i]!)) ?? -1;
    if (wrong < 0) continue;
    const detail = `hash ${wrong} is ${toBase64(held![wrong]!)}, the records give ${toBase64(hashes[wrong]!)}`;
    findings.add('log-tile-invalid', file, detail, (index * TILE_WIDTH + wrong) * TILE_WIDTH ** level);
  }
}
