/**
 * Checks what the page of an export carries: statements and heads, and of the last records that they are under the newest
 * head of their epoch. The rest of the log is not here, so this says nothing of it.
 */
import { concat } from '../../../protocol/bytes.ts';
import type { Engine } from '../../../protocol/engine/engine.ts';
import { parseLogRecord } from '../../../protocol/log-record.ts';
import { inclusionProof, leafHash, verifyInclusion } from '../../../protocol/merkle.ts';
import { Problem } from '../../../protocol/problem.ts';
import { TILE_WIDTH, type Tile, tileOfEntries, tileReader } from '../../../protocol/tile.ts';
import { checkChain } from '../chain-check.ts';
import { readEntries, readHashes } from '../epoch-tiles.ts';
import { Findings } from '../findings.ts';
import { openSignedEpoch, pathIn, type SignedEpoch } from '../signed-epoch.ts';
import type { ExportReport, SourceCheckOptions } from '../source-check.ts';

export type CarriedCheckOptions = Pick<
  SourceCheckOptions,
  'engine' | 'source' | 'logPin' | 'onEpochs' | 'onRecord' | 'onProgress'
>;

/** What of a report is about all of the export. */
export type Found = Pick<ExportReport, 'failures' | 'failureCount' | 'notices'>;

/** What was found; each record that holds goes to `onRecord`. */
export function checkCarried({ engine, source, logPin, ...heard }: CarriedCheckOptions): Found {
  const findings = new Findings();
  const found = source.places.flatMap((place) => openSignedEpoch(engine, place, logPin, findings) ?? []);
  const { epochs } = checkChain(found, [], findings);
  heard.onEpochs?.(epochs);
  const bundles = epochs.flatMap((epoch) => bundlesOf(epoch).map((bundle) => ({ epoch, bundle })));
  for (const [i, { epoch, bundle }] of bundles.entries()) {
    const file = pathIn(epoch.place, { kind: 'tile', tile: bundle });
    const entries = findings.attempt(file, () => provenEntries(engine, epoch, bundle));
    for (const [at, entry] of entries?.entries() ?? []) {
      const index = bundle.index * TILE_WIDTH + at;
      const event = findings.attempt(file, () => parseLogRecord(entry), index);
      if (event && event.i !== index)
        findings.add('log-record-invalid', file, `it says that it is leaf ${event.i}`, index);
      else if (event) heard.onRecord?.(epoch, event, entry);
    }
    heard.onProgress?.(i + 1, bundles.length);
  }
  const { failures, count, notices } = findings;
  return { failures, failureCount: count, notices };
}

/** The bundles under the newest head that are here, as wide as that head has them. */
function bundlesOf({ folder, heads }: SignedEpoch): Tile[] {
  const size = heads.at(-1)?.size ?? 0;
  const bundles = new Map<number, Tile>();
  for (const file of folder.files.values()) {
    if (file.kind !== 'tile' || file.tile.level !== 'entries') continue;
    const { level, index } = file.tile;
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    if (file.tile.width >= width && width > 0) bundles.set(index, { level, index, width });
  }
  return [...bundles.values()].sort((a, b) => a.index - b.index);
}

/**
 * The entries of a bundle that are all under the newest head: the proof of the first one is made with the hashes of the
 * others in its tile.
 */
function provenEntries(engine: Engine, { folder, heads }: SignedEpoch, bundle: Tile): Uint8Array[] {
  const { size, root } = heads.at(-1)!;
  const entries = readEntries(folder, bundle);
  const own = tileOfEntries(engine, entries);
  const read = tileReader(engine, size, (tile) =>
    tile.level === 0 && tile.index === bundle.index ? own : concat(...readHashes(folder, tile)),
  );
  const first = bundle.index * TILE_WIDTH;
  try {
    verifyInclusion(
      engine,
      inclusionProof(engine, read, first, size),
      first,
      leafHash(engine, entries[0]!),
      size,
      root,
    );
  } catch (thrown) {
    if (!(thrown instanceof Problem) || thrown.code !== 'proof-invalid') throw thrown;
    throw new Problem(
      'log-record-invalid',
      `the records from leaf ${first} on do not lead to the root of ${size} leaves`,
    );
  }
  return entries;
}
