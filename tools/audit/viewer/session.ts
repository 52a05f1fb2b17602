/**
 * The worker of the viewer: checks the export that it is given and looks into it. One log is open at a time; what was
 * given last counts.
 */
import { spkiOf } from '../../../protocol/engine/der.ts';
import type { Engine } from '../../../protocol/engine/engine.ts';
import { type LogEvent, parseLogRecord } from '../../../protocol/log-record.ts';
import { asProblem, Problem } from '../../../protocol/problem.ts';
import { fromBase64Url, pinOf, toBase64 } from '../../../protocol/text.ts';
import { parseTlogProof } from '../../../protocol/tlog-proof.ts';
import { MAX_PROOF_BYTES } from '../epoch-files.ts';
import type { ExportSource } from '../export-source.ts';
import type { SignedEpoch } from '../signed-epoch.ts';
import { checkSource, type SourceCheckOptions } from '../source-check.ts';
import { unpackFiles } from './carried.ts';
import { checkCarried, type Found } from './carried-check.ts';
import { type GivenFile, givenExport } from './given-files.ts';
import type { Answer, EpochRow, Request } from './messages.ts';
import { listRecords, type OpenedEpoch, recordDetail } from './opened-log.ts';
import { RecordIndex, timelineOf } from './record-index.ts';

/** Heads of an epoch that are shown: all that one of a week has. */
const HEADS_SHOWN = 25_000;

export interface SessionOptions {
  readonly engine: Engine;
  readonly answer: (answer: Answer) => void;
  /** A file that the page was given. */
  readonly fileOf: (blob: Blob) => GivenFile;
}

export class Session {
  readonly #options: SessionOptions;
  #epochs: OpenedEpoch[] = [];

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Answers a request; what is no export is answered with `refused`. */
  handle(request: Request): void {
    const { engine, answer } = this.#options;
    try {
      if (request.kind === 'carried' || request.kind === 'folder') this.#epochs = [];
      if (request.kind === 'carried') this.#openCarried(request.packed);
      else if (request.kind === 'folder') this.#openFolder(request.files);
      else if (request.kind === 'records') answer({ kind: 'records', ...listRecords(this.#epochs, request.query) });
      else answer({ kind: 'record', detail: recordDetail(engine, this.#epochs, request.position) });
    } catch (thrown) {
      answer({ kind: 'refused', detail: asProblem(thrown).detail });
    }
  }

  #openCarried(packed: Uint8Array): void {
    const files = [...unpackFiles(packed)].map(
      ([path, bytes]) => [path, { size: bytes.length, bytes: () => bytes }] as const,
    );
    this.#open(givenExport(new Map(files)), false);
  }

  #openFolder(files: readonly (readonly [string, Blob])[]): void {
    const given = files.map(([path, blob]) => [path, this.#options.fileOf(blob)] as const);
    this.#open(givenExport(new Map(given)), true);
  }

  #open(source: ExportSource, isFolder: boolean): void {
    const { engine, answer } = this.#options;
    const pin = claimedPin(source);
    const opened = new Map<string, OpenedEpoch>();
    const tell = (what: string, done: number, all: number) => answer({ kind: 'progress', what, done, all });
    tell('checking signatures of heads', 0, 0);
    const options = {
      engine,
      source,
      logPin: pin,
      onEpochs: (epochs: readonly SignedEpoch[]) => {
        for (const epoch of epochs) {
          opened.set(epoch.origin, { epoch, index: new RecordIndex(), leaves: leavesOf(epoch, epochs) });
        }
      },
      onRecord: ({ origin }: SignedEpoch, event: LogEvent) => opened.get(origin)!.index.add(event),
      onProgress: (done: number, all: number) => tell('verifying log records', done, all),
    };
    const { failures, failureCount, notices } = isFolder ? checkWhole(options, opened) : checkCarried(options);
    this.#epochs = [...opened.values()];
    const indices = this.#epochs.map(({ index }) => index);
    const rows = this.#epochs.map(epochRow);
    const timeline = timelineOf(indices);
    answer({ kind: 'verdict', verdict: { isFolder, pin, failures, failureCount, notices, epochs: rows, timeline } });
  }
}

/** Checks a whole export. Records that do not lead to the root that was signed are no verified ones. */
function checkWhole(options: SourceCheckOptions, opened: Map<string, OpenedEpoch>): Found {
  const report = checkSource(options);
  for (const { origin, isProved } of report.epochs) {
    if (!isProved) opened.set(origin, { ...opened.get(origin)!, index: new RecordIndex() });
  }
  return report;
}

/** The pin of the log key in the newest epoch's statement, which vouches for nothing; empty when there is none. */
function claimedPin({ places, read }: ExportSource): string {
  const at = places.find((place) => place.at === '')?.at ?? places.at(-1)!.at;
  try {
    const bytes = read(at === '' ? 'epoch' : `${at}/epoch`, MAX_PROOF_BYTES);
    const event = parseLogRecord(parseTlogProof(bytes ?? new Uint8Array(0)).extra ?? new Uint8Array(0));
    return event.act === 'log.epoch.open' ? pinOf(spkiOf('ml-dsa-65', fromBase64Url(event.obj.keys.mldsa65))) : '';
  } catch (thrown) {
    if (thrown instanceof Problem) return '';
    throw thrown;
  }
}

/** Under the newest head, and behind it as far as the next epoch says. */
function leavesOf({ origin, heads }: SignedEpoch, epochs: readonly SignedEpoch[]): number {
  const prevs = epochs.map(({ event: { obj } }) => obj.prev);
  const after = prevs.find((prev) => prev.source !== 'none' && prev.origin === origin);
  const tail = after && after.source !== 'none' ? after.tailSize : 0;
  return Math.max(tail, heads.at(-1)?.size ?? 0);
}

function epochRow({ epoch, index, leaves }: OpenedEpoch): EpochRow {
  const { place, origin, id, event, heads } = epoch;
  const { boot, software, prev } = event.obj;
  const before = prev.source === 'none' ? null : { origin: prev.origin, tailSize: prev.tailSize, source: prev.source };
  const shown = heads.slice(-HEADS_SHOWN).reverse();
  const rows = shown.map(({ size, seconds, root, file }) => ({ size, seconds, root: toBase64(root), file }));
  const counts = { leaves, held: index.held, heads: rows, headCount: heads.length };
  return { at: place.at, origin, id, openedMs: event.t, boot, software, before, ...counts };
}
