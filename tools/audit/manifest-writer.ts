/** Writes the manifest of an export that was verified, and makes all of it survive a power cut. */
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { type Dirent, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { entriesOf } from './epoch-folder.ts';
import type { EpochReport } from './export-check.ts';
import { MANIFEST } from './layout.ts';
import { formatManifest } from './manifest.ts';

/** Writes `manifest.json` into the folder of an export whose epochs were verified; `madeMs` is wall time. */
export function writeManifest(folder: string, epochs: readonly EpochReport[], madeMs: number): void {
  const files: Record<string, string> = {};
  let bytes = 0;
  for (const { path, entry } of below(folder)) {
    if (!entry.isFile() || path === MANIFEST) continue;
    const content = readFileSync(join(folder, path));
    files[path] = hash('sha256', content, 'base64url');
    bytes += content.length;
  }
  const rows = epochs.map(({ id, origin, size, root, seconds, leaves, records }) => {
    return { id, origin, size, root, seconds, leaves, records };
  });
  const records = epochs.reduce((sum, each) => sum + each.records, 0);
  const counts = { files: Object.keys(files).length, bytes, records };
  const relay = epochs.at(-1)!.origin.split('/')[0]!;
  writeFileSync(join(folder, MANIFEST), formatManifest({ v: 1, relay, madeMs, epochs: rows, counts, files }));
}

/**
 * Makes everything below a folder survive a power cut, by one call for its whole file system: a call for each of some
 * thousand files takes a minute. Refuses `state-failed`.
 */
export function syncFiles(folder: string): void {
  try {
    execFileSync('sync', ['-f', folder], { stdio: 'ignore' });
  } catch (thrown) {
    throw new Problem('state-failed', `${folder} cannot be synced: ${(thrown as Error).message}`);
  }
}

/** Everything below a folder; what is in a folder comes before it. */
function* below(folder: string, at = ''): Generator<{ readonly path: string; readonly entry: Dirent }> {
  for (const entry of entriesOf(join(folder, at))) {
    const path = at === '' ? entry.name : `${at}/${entry.name}`;
    if (entry.isDirectory()) yield* below(folder, path);
    yield { path, entry };
  }
}
