/**
 * Takes an export into an archive: copies what the layout names, checks the copy from its data and against all that the
 * archive holds, and only then adds it. Whoever made the export has no say in what is read, nor where it is written.
 */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { Added, ArchiveStore } from './archive-store.ts';
import type { EpochFiles } from './epoch-files.ts';
import { copyOpened } from './epoch-folder.ts';
import { checkExport, type EpochReport, type ExportReport } from './export-check.ts';
import { findEpochs } from './export-folder.ts';
import { type Unseal, unopened } from './unseal.ts';

/** What the archive got of an epoch. */
export interface TakenEpoch extends EpochReport {
  /** Leaves under the newest head that the archive had before. */
  readonly before: number;
  readonly added: Added;
}

export interface Intake {
  readonly report: ExportReport;
  /** Empty unless the report is good: of a bad export nothing is taken. */
  readonly taken: readonly TakenEpoch[];
}

export interface IntakeOptions {
  readonly engine: Engine;
  readonly logPin: string;
  /** Opens what is sealed: the archive has every record in clear. */
  readonly unseal?: Unseal;
  readonly onProgress?: (done: number, all: number) => void;
}

/**
 * Refuses what is no export at all (`file-invalid`, `log-missing`), what `unseal` refuses, and a copy that does not fit
 * (`state-failed`).
 */
export function takeIn(
  store: ArchiveStore,
  folder: string,
  { engine, logPin, unseal = unopened, onProgress }: IntakeOptions,
): Intake {
  store.clearIncoming();
  try {
    for (const { at } of findEpochs(folder)) copyIn(join(folder, at), join(store.incoming, at), unseal);
    const against = store.isEmpty ? {} : { against: store.path };
    const report = checkExport({
      engine,
      folder: store.incoming,
      logPin,
      noManifest: true,
      ...against,
      ...(onProgress ? { onProgress } : {}),
    });
    const taken = report.ok ? report.epochs.map((epoch) => takeEpoch(store, epoch)) : [];
    return { report, taken };
  } finally {
    store.clearIncoming();
  }
}

/** Whether the archive has every record under the head of that size. */
export function isComplete(folder: EpochFiles, size: number): boolean {
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const width = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    if (!folder.widths('entries', index).some((each) => each >= width)) return false;
  }
  return true;
}

function takeEpoch(store: ArchiveStore, epoch: EpochReport): TakenEpoch {
  const before = store.epoch(epoch.id)?.headSizes.at(-1) ?? 0;
  const place = findEpochs(store.incoming).find(({ at }) => at === epoch.at)!;
  return { ...epoch, before, added: store.take(epoch.id, place.open()) };
}

/** Cosignatures stay where they are: they are for the relay, and nobody vouches for them here. */
function copyIn(from: string, to: string, unseal: Unseal): void {
  try {
    copyOpened(from, to, unseal);
  } catch (thrown) {
    if (thrown instanceof Problem) throw thrown;
    throw new Problem('state-failed', `${to} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
