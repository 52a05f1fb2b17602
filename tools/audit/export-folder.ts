/** Finds the epochs in a folder: of an export, of a live stick, or one epoch alone. Which came first, their statements say. */
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { readPlainFile } from '../lib/files.ts';
import { EpochFolder, entriesOf, requireFolder } from './epoch-folder.ts';
import type { EpochPlace, ExportSource } from './export-source.ts';
import { EARLIER, EPOCH_ID, EPOCHS, MAX_EPOCHS } from './layout.ts';
import type { Unseal } from './unseal.ts';

/** The export in a folder; `unseal` opens what is sealed. Refuses as `findEpochs`. */
export function exportFolder(path: string, unseal?: Unseal): ExportSource {
  return { places: findEpochs(path, unseal), read: (file, limit) => readPlainFile(join(path, file), limit) };
}

/** The place of an epoch in a folder. */
export interface FolderPlace extends EpochPlace {
  open(): EpochFolder;
}

/** The epochs below `path`, by their places. Refuses `file-invalid` for what is no folder, `log-missing` for one without an epoch. */
export function findEpochs(path: string, unseal?: Unseal): FolderPlace[] {
  requireFolder(path);
  const places: FolderPlace[] = [];
  const add = (at: string): void => void places.push({ at, open: () => new EpochFolder(join(path, at), unseal) });
  if (isThere(join(path, 'checkpoint')) || isThere(join(path, 'epoch'))) add('');
  for (const parent of [EARLIER, EPOCHS]) {
    if (!isThere(join(path, parent))) continue;
    requireFolder(join(path, parent));
    for (const entry of entriesOf(join(path, parent))) {
      if (EPOCH_ID.test(entry.name)) add(`${parent}/${entry.name}`);
      if (places.length > MAX_EPOCHS) throw new Problem('file-invalid', `${path} has more than ${MAX_EPOCHS} epochs`);
    }
  }
  if (places.length === 0) {
    throw new Problem('log-missing', `${path} has neither checkpoint nor epoch, ${EARLIER}/ nor ${EPOCHS}/`);
  }
  return places.sort((a, b) => (a.at < b.at ? -1 : 1));
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
