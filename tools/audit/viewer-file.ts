/**
 * Makes the page of an export: the viewer, and in it a copy of what it shows before anybody chooses the folder. That is
 * statements, keys, newest heads, the hash tiles above level 0, the last records and their tiles of level 0.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import { findEpochs } from './export-folder.ts';
import { type EpochFile, epochPath, VIEWER } from './layout.ts';
import { packFiles } from './viewer/carried.ts';

/** Records that the page carries. */
export const CARRIED_RECORDS = 20_000;
/** Heads that it carries, the newest; each has eight kilobytes and is verified in the page. A relay keeps as many of an epoch. */
const CARRIED_HEADS = 200;
/** What is read from the folder only: proofs of what the tiles prove, and records that the page could not open. */
const NOT_CARRIED: ReadonlySet<EpochFile['kind']> = new Set(['proof', 'growth', 'cosignature', 'sealed']);
/** Where the copy stands in the page. */
const SLOT = '<script type="application/octet-stream" id="carried">';

/** Writes the page of the export in a folder, whose epochs are given by their places, oldest first. */
export function writeViewer(folder: string, places: readonly string[]): void {
  const page = readFileSync(join(import.meta.dirname, 'viewer', 'page.html'), 'utf8');
  const copy = gzipSync(packFiles(carriedOf(folder, places))).toString('base64');
  writeFileSync(join(folder, VIEWER), page.replace(SLOT, SLOT + copy));
}

function carriedOf(folder: string, places: readonly string[]): Map<string, Uint8Array> {
  const found = new Map(findEpochs(folder).map((place) => [place.at, place.open()]));
  const carried = new Map<string, Uint8Array>();
  let [records, headsLeft] = [0, CARRIED_HEADS];
  for (const at of places.toReversed()) {
    const epoch = found.get(at)!;
    // Of each epoch at least one: nothing of it would hold without.
    const heads = new Set(epoch.headSizes.slice(-Math.max(1, headsLeft)));
    headsLeft -= heads.size;
    const carry = (file: EpochFile): void => {
      carried.set(at === '' ? epochPath(file) : `${at}/${epochPath(file)}`, epoch.read(file)!);
    };
    const left = Math.max(0, CARRIED_RECORDS - records);
    // The last bundle is seldom full.
    const bundles = new Set(left === 0 ? [] : epoch.bundles.slice(0, Math.ceil(left / TILE_WIDTH) + 1));
    const [oldest = Infinity] = [...bundles].reverse();
    records += Math.max(0, (epoch.headSizes.at(-1) ?? 0) - oldest * TILE_WIDTH);
    for (const file of epoch.files.values()) {
      if (NOT_CARRIED.has(file.kind)) continue;
      if (file.kind === 'head' && !heads.has(file.size)) continue;
      if (file.kind === 'tile' && (file.tile.level === 'entries' || file.tile.level === 0)) {
        if (!bundles.has(file.tile.index)) continue;
      }
      carry(file);
    }
  }
  return carried;
}
