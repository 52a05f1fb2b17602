/**
 * Verifies a whole export from its data and the pin of the relay's log key: signatures, every leaf and tile, how heads
 * and epochs follow each other, and on demand an earlier export and log receipts. Nothing that is missing counts as
 * verified: a log record that tells of its loss makes it a notice, everything else is a failure.
 */
import type { Engine } from '../../protocol/engine/engine.ts';
import type { LogEvent } from '../../protocol/log-record.ts';
import type { NoteKey } from '../../protocol/note-key.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import { checkChain } from './chain-check.ts';
import { heldIn } from './epoch-tiles.ts';
import type { EpochPlace, ExportSource } from './export-source.ts';
import { type Finding, Findings } from './findings.ts';
import { checkInbox } from './inbox-check.ts';
import { type CheckedLeaves, checkLeaves, type Expectation } from './leaf-check.ts';
import { checkManifest } from './manifest-check.ts';
import { checkProofs } from './proof-check.ts';
import type { CheckedEpoch, ReceiptCounts } from './receipt-check.ts';
import { openSignedEpoch, pathIn, type SignedEpoch } from './signed-epoch.ts';

export interface SourceCheckOptions {
  readonly engine: Engine;
  readonly source: ExportSource;
  /** Pin of the relay's log key. */
  readonly logPin: string;
  /** An export that was made earlier. */
  readonly earlier?: ExportSource;
  /** Archives whose cosignatures must hold. */
  readonly cosigners?: readonly NoteKey[];
  /** Checks log receipts against what was found. */
  readonly receipts?: (epochs: readonly CheckedEpoch[], findings: Findings) => ReceiptCounts;
  /** The export has no manifest yet. */
  readonly noManifest?: true;
  /** The epochs whose statements hold, oldest first, before their leaves are checked. */
  readonly onEpochs?: (epochs: readonly SignedEpoch[]) => void;
  /** Each record that holds. Whether the log as a whole holds is known at the end. */
  readonly onRecord?: (epoch: SignedEpoch, event: LogEvent, bytes: Uint8Array) => void;
  /** Leaves of all epochs that were looked at, of how many. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** What was verified of one epoch. */
export interface EpochReport {
  /** Folder below the export; empty for the root. */
  readonly at: string;
  readonly origin: string;
  readonly id: string;
  /** Leaves under the newest head, and its time in POSIX seconds; 0 when no head holds. */
  readonly size: number;
  readonly seconds: number;
  /** Whether there is one, and the records and tiles give its root. */
  readonly isProved: boolean;
  /** Its root in base64url. */
  readonly root: string;
  /** Leaves whose place in the tree was verified. */
  readonly leaves: number;
  /** Log records that are there and hold. */
  readonly records: number;
  /** Log records that are sealed to a key that is not here: in the tree, but not read. */
  readonly sealed: number;
  /** Heads whose signatures hold and whose root the records give. */
  readonly heads: number;
  /** Leaves whose records are not in the export: `[from, below]`. */
  readonly unarchived: readonly (readonly [number, number])[];
}

export interface ExportReport {
  readonly ok: boolean;
  /** The first thousand failures, and how many there are. */
  readonly failures: readonly Finding[];
  readonly failureCount: number;
  readonly notices: readonly string[];
  /** Oldest first. */
  readonly epochs: readonly EpochReport[];
  readonly receipts: ReceiptCounts | null;
}

/** Verifies an export. */
export function checkSource(options: SourceCheckOptions): ExportReport {
  return new SourceCheck(options).run();
}

interface Checked {
  readonly epoch: SignedEpoch;
  readonly size: number;
  readonly result: CheckedLeaves;
}

class SourceCheck {
  readonly #options: SourceCheckOptions;
  readonly #findings = new Findings();
  /** How far the records say that an epoch was pruned or lost, by origin. */
  readonly #pruned = new Map<string, number>();

  constructor(options: SourceCheckOptions) {
    this.#options = options;
  }

  run(): ExportReport {
    const { engine, source, receipts } = this.#options;
    const found = this.#open(source.places);
    const earlier = this.#open(
      (this.#options.earlier?.places ?? []).map((place) => ({
        open: () => place.open(),
        at: place.at === '' ? 'against' : `against/${place.at}`,
      })),
    );
    this.#tellOrder(found);
    const missing = earlier.filter(({ origin }) => !found.some((epoch) => epoch.origin === origin));
    const chain = checkChain(found, missing, this.#findings);
    this.#options.onEpochs?.(chain.epochs);
    const cosigned = checkInbox(engine, chain.epochs, this.#options.cosigners ?? [], this.#findings);
    const sizes = chain.epochs.map((epoch) => this.#sizeOf(epoch, chain.tails.get(epoch.origin)));
    const all = sizes.reduce((sum, size) => sum + size, 0);
    let done = 0;
    const checked = chain.epochs.map((epoch, i): Checked => {
      const size = sizes[i]!;
      const expectations = [
        ...epoch.heads.map(({ size, root, file }) => ({ size, root, file, code: 'proof-invalid' }) as const),
        ...checkProofs(engine, epoch, this.#findings),
        ...(chain.expectations.get(epoch.origin) ?? []),
        ...this.#earlierHeads(epoch, earlier),
        ...cosigned.filter(({ origin }) => origin === epoch.origin),
      ];
      const result = this.#leaves(epoch, size, expectations, (leaves) =>
        this.#options.onProgress?.(done + leaves, all),
      );
      done += size;
      return { epoch, size, result };
    });
    for (const { origin, heads } of missing) {
      this.#findings.note(`${origin}, signed up to ${heads.at(-1)?.size ?? 0}, is in the earlier export only`);
    }
    for (const each of checked) this.#tellMissing(each);
    const leaves = checked.map(({ epoch, result }) => ({ epoch, leaves: result.leaves }));
    if (!this.#options.noManifest) checkManifest(engine, source, leaves, this.#findings);
    const counts = receipts?.(leaves, this.#findings) ?? null;
    const { failures, count, notices } = this.#findings;
    const ok = count === 0;
    return { ok, failures, failureCount: count, notices, epochs: checked.map(reportOf), receipts: counts };
  }

  #open(places: readonly EpochPlace[]): SignedEpoch[] {
    const { engine, logPin } = this.#options;
    const opened = places.flatMap((place) => openSignedEpoch(engine, place, logPin, this.#findings) ?? []);
    return opened.filter(({ origin, place }, i) => {
      const twin = opened.slice(0, i).find((epoch) => epoch.origin === origin);
      if (twin)
        this.#findings.add('log-export-invalid', pathIn(place, { kind: 'statement' }), `${origin} is here twice`);
      return !twin;
    });
  }

  /** The root of an export is its newest epoch. */
  #tellOrder(epochs: readonly SignedEpoch[]): void {
    const root = epochs.find(({ place }) => place.at === '');
    const after = epochs.find(({ event: { obj } }) => obj.prev.source !== 'none' && obj.prev.origin === root?.origin);
    if (!root || !after) return;
    const detail = `the epoch of the export's root is followed by that in ${after.place.at}`;
    this.#findings.add('log-export-invalid', pathIn(root.place, { kind: 'statement' }), detail);
  }

  /** Leaves to be checked: those under the newest head, and the unsigned ones behind them when they are there. */
  #sizeOf({ folder, heads, place }: SignedEpoch, tail = 0): number {
    const signed = heads.at(-1)?.size ?? 0;
    if (tail <= signed) return signed;
    const index = Math.floor((tail - 1) / TILE_WIDTH);
    if (heldIn(folder, { level: 0, index, width: tail - index * TILE_WIDTH })) return tail;
    this.#findings.note(`${place.at || '.'}: leaves ${signed} to ${tail - 1} were never signed and are not archived`);
    return signed;
  }

  #earlierHeads(epoch: SignedEpoch, earlier: readonly SignedEpoch[]): Expectation[] {
    const same = earlier.find(({ origin }) => origin === epoch.origin);
    const [before, now] = [same?.heads.at(-1), epoch.heads.at(-1)];
    if (before && now && before.size > now.size) {
      this.#findings.add('log-rolled-back', now.file, `it has the size ${now.size}, ${before.file} had ${before.size}`);
    }
    return (same?.heads ?? []).map(({ size, root, file }) => ({ size, root, file, code: 'log-forked' }));
  }

  #leaves(
    epoch: SignedEpoch,
    size: number,
    expectations: readonly Expectation[],
    onLeaves: (leaves: number) => void,
  ): CheckedLeaves {
    const { engine, onRecord } = this.#options;
    return checkLeaves(epoch, size, expectations, {
      engine,
      findings: this.#findings,
      onLeaves,
      onRecord: (event, bytes) => {
        if (event.act === 'prune' || event.act === 'log.lost') {
          const { origin, below } = event.obj;
          this.#pruned.set(origin, Math.max(below, this.#pruned.get(origin) ?? 0));
        }
        onRecord?.(epoch, event, bytes);
      },
    });
  }

  #tellMissing({ epoch: { origin, place, folder, heads }, size, result }: Checked): void {
    if (heads.length === 0)
      this.#findings.note(`${place.at || '.'}: no head of this epoch holds: nothing of it is proved`);
    if (result.sealed > 0)
      this.#findings.note(`${origin}: ${result.sealed} log records are sealed, and were not opened`);
    for (const { from, below } of result.unarchived) {
      const tile = {
        level: 'entries',
        index: Math.floor(from / TILE_WIDTH),
        width: Math.min(TILE_WIDTH, size - from),
      } as const;
      const what = `the records of leaves ${from} to ${below - 1} are not there or cannot be read`;
      if ((this.#pruned.get(origin) ?? 0) >= below) this.#findings.note(`${origin}: ${what}; the log says so`);
      else if (folder.hasJournal && below - from < TILE_WIDTH && below === size)
        this.#findings.note(`${origin}: ${what}; the epoch goes on, and its journal is not read`);
      else
        this.#findings.add(
          'log-missing',
          pathIn(place, { kind: 'tile', tile }),
          `${what}, and no record says why`,
          from,
        );
    }
  }
}

function reportOf({ epoch, result }: Checked): EpochReport {
  const { place, origin, id, heads } = epoch;
  const newest = heads.at(-1);
  const unproved = new Set(result.unproved.map(({ file }) => file));
  return {
    at: place.at,
    origin,
    id,
    size: newest?.size ?? 0,
    seconds: newest?.seconds ?? 0,
    isProved: newest !== undefined && !unproved.has(newest.file),
    root: toBase64Url(newest?.root ?? new Uint8Array(0)),
    leaves: result.leaves,
    records: result.records,
    sealed: result.sealed,
    heads: heads.filter(({ file }) => !unproved.has(file)).length,
    unarchived: result.unarchived.map(({ from, below }) => [from, below] as const),
  };
}
