/**
 * Makes an export of a running relay's log, whole or not at all. What is pulled is gathered beside it and stays there
 * when the run is cut off, so that the next one goes on:
 *
 *     DIR.partial/epochs/<id>/    being pulled
 *     DIR.new/                    put together, not verified yet
 *     DIR.old/                    the export before, while DIR.new takes its place
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import { fromBase64Url } from '../../protocol/text.ts';
import { readPlainFile, syncPath } from '../lib/files.ts';
import { lockFolder } from '../lib/folder-lock.ts';
import { copyEpoch } from './epoch-folder.ts';
import { fetchEpoch, pullEpoch, type RelayEpoch, type Tail } from './epoch-pull.ts';
import { checkExport, type ExportReport } from './export-check.ts';
import { EARLIER, EPOCHS, MANIFEST } from './layout.ts';
import { MAX_MANIFEST_BYTES, parseManifest } from './manifest.ts';
import { syncFiles, writeManifest } from './manifest-writer.ts';
import type { RelayLog } from './relay-log.ts';
import { Sealer } from './unseal.ts';
import { writeViewer } from './viewer-file.ts';

/** Most epochs that one export follows back. */
const MAX_EPOCHS = 4096;

export interface ExportRunOptions {
  readonly engine: Engine;
  readonly log: RelayLog;
  readonly logPin: string;
  /** The folder; it may hold an earlier export of the same relay, which this one continues. */
  readonly to: string;
  /** The auditor's X-Wing key that the records are sealed to; they are in clear when left out. */
  readonly sealTo?: Uint8Array;
  /** Wall time in milliseconds, for the manifest. */
  readonly wall: () => number;
  /** Records that were pulled, and then verified, of how many. */
  readonly onPulled: (done: number, all: number) => void;
  readonly onVerified: (done: number, all: number) => void;
}

/** Folders of the epochs of the export before, by id. */
type Before = ReadonlyMap<string, string>;

/**
 * Exports the log. The report tells whether all that was pulled holds; only then it stands in `to`, else in `to`.new.
 * Refuses `already-exists` when something else stands there, `spool-in-use` while another process exports there.
 */
export async function runExport(options: ExportRunOptions): Promise<ExportReport> {
  const { engine, logPin, sealTo, wall, onVerified } = options;
  const sealer = sealTo ? new Sealer(engine, sealTo) : null;
  const to = resolve(options.to);
  const [partial, fresh, old] = [`${to}.partial`, `${to}.new`, `${to}.old`];
  const unlock = lockFolder(partial);
  try {
    if (!existsSync(to) && existsSync(old)) renameSync(old, to);
    const before = exportAt(to);
    rmSync(fresh, { recursive: true, force: true });
    const epochs = await pullAll(options, sealer, join(partial, EPOCHS), before);
    putTogether(epochs, join(partial, EPOCHS), fresh);
    for (const [id, folder] of before ?? []) {
      if (!epochs.some((epoch) => epoch.id === id)) copyEpoch(folder, join(fresh, EARLIER, id), sealer);
    }
    const [against, unseal] = [before ? { against: to } : {}, sealer ? { unseal: sealer.unseal } : {}];
    const check = {
      engine,
      folder: fresh,
      logPin,
      ...against,
      ...unseal,
      noManifest: true,
      onProgress: onVerified,
    } as const;
    const report = checkExport(check);
    if (!report.ok) return report;
    writeViewer(
      fresh,
      report.epochs.map(({ at }) => at),
    );
    writeManifest(fresh, report.epochs, wall());
    syncFiles(fresh);
    rmSync(old, { recursive: true, force: true });
    if (before) renameSync(to, old);
    renameSync(fresh, to);
    syncPath(dirname(to));
    rmSync(old, { recursive: true, force: true });
    return report;
  } finally {
    unlock();
    if (!existsSync(join(partial, EPOCHS))) rmSync(partial, { recursive: true, force: true });
  }
}

/** The export that stands there; an empty folder is removed. Refuses `already-exists` for anything else. */
function exportAt(to: string): Before | undefined {
  if (!existsSync(to)) return undefined;
  const bytes = readPlainFile(join(to, MANIFEST), MAX_MANIFEST_BYTES);
  if (bytes) {
    const { epochs } = parseManifest(bytes);
    const root = epochs.at(-1)!.id;
    return new Map(epochs.map(({ id }) => [id, id === root ? to : join(to, EARLIER, id)]));
  }
  if (readdirSync(to).length > 0) throw new Problem('already-exists', `${to} has files and is no export`);
  rmdirSync(to);
  return undefined;
}

/** Pulls every epoch that the relay keeps, the newest first. */
async function pullAll(
  options: ExportRunOptions,
  sealer: Sealer | null,
  folder: string,
  before: Before | undefined,
): Promise<RelayEpoch[]> {
  const { engine, log, logPin, onPulled } = options;
  const epochs = await epochsOf(engine, log, logPin);
  const all = epochs.reduce((sum, { head }) => sum + head.size, 0);
  let done = 0;
  for (const [i, epoch] of epochs.entries()) {
    const onLeaves = (leaves: number) => onPulled(done + leaves, all);
    const earlier = before?.get(epoch.id) ?? null;
    const pull = { engine, log, earlier, tail: tailIn(epochs[i - 1]), sealer, onLeaves };
    const isWhole = await pullEpoch(epoch, join(folder, epoch.id), pull);
    if (!isWhole && i === 0) {
      throw new Problem('not-available', 'the relay gives this device no log records: that takes the role audit');
    }
    done += epoch.head.size;
  }
  return epochs;
}

/** How the epoch before `next` ended, as that one says. */
function tailIn(next: RelayEpoch | undefined): Tail | null {
  const prev = next?.event.obj.prev;
  if (!prev || prev.source === 'none') return null;
  return { size: prev.tailSize, root: fromBase64Url(prev.tailRoot) };
}

/** From the newest epoch back along `prev`, as far as the relay keeps them. */
async function epochsOf(engine: Engine, log: RelayLog, logPin: string): Promise<RelayEpoch[]> {
  const epochs = [await fetchEpoch(engine, log, logPin)];
  while (epochs.length < MAX_EPOCHS) {
    const { prev } = epochs.at(-1)!.event.obj;
    if (prev.source === 'none' || epochs.some(({ origin }) => origin === prev.origin)) break;
    try {
      epochs.push(await fetchEpoch(engine, log, logPin, prev.origin));
    } catch (thrown) {
      if (!(thrown instanceof Problem) || thrown.code !== 'not-available') throw thrown;
      break;
    }
  }
  return epochs;
}

/** Moves what was pulled to where it belongs in an export. */
function putTogether([newest, ...older]: readonly RelayEpoch[], pulled: string, fresh: string): void {
  renameSync(join(pulled, newest!.id), fresh);
  if (older.length > 0) mkdirSync(join(fresh, EARLIER));
  for (const { id } of older) renameSync(join(pulled, id), join(fresh, EARLIER, id));
  rmSync(pulled, { recursive: true, force: true });
}
