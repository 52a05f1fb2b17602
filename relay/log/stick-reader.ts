/**
 * Reads a stick at the start of the relay: whose it is, which epoch was the last one, and what stands of it. Everything
 * there may be damaged, old or forged: what counts is signed, and what is wrong is told.
 */
import type { Engine } from '../../protocol/engine/engine.ts';
import { type VerifiedEpoch, verifyEpoch } from '../../protocol/epoch.ts';
import { parseSegment } from '../../protocol/journal-segment.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { parseBundle, TILE_WIDTH, tilePath } from '../../protocol/tile.ts';
import { parseTlogProof } from '../../protocol/tlog-proof.ts';
import { isMissing, type StickDisk } from './stick-disk.ts';
import { MAX_FILE_BYTES, namesIn } from './stick-files.ts';
import { SEGMENT_BYTES } from './stick-journal.ts';

const EPOCHS = 'epochs';
const EPOCH_ID = /^[0-9a-f]{32}$/;
const SEGMENT = /^\d{8}$/;

/** An epoch that stands on a stick. */
export interface StoredEpoch extends VerifiedEpoch {
  readonly id: string;
  readonly statement: Uint8Array;
  /** Names of the segments of its journal; there are none once it was finished. */
  readonly segments: readonly string[];
}

export interface StickContent {
  readonly epochs: readonly StoredEpoch[];
  /** What is wrong with some of them, in words. */
  readonly findings: readonly string[];
  /** Why the stick belongs to another relay; null when it does not. */
  readonly foreign: string | null;
}

/** Looks through the epochs of a stick. Rejects with what the disk says. */
export async function readStick(engine: Engine, disk: StickDisk, logPin: string): Promise<StickContent> {
  const epochs: StoredEpoch[] = [];
  const findings: string[] = [];
  let foreign: string | null = null;
  for (const id of (await namesIn(disk, EPOCHS)).filter((name) => EPOCH_ID.test(name)).sort()) {
    const segments = (await namesIn(disk, `${EPOCHS}/${id}/journal`)).filter((name) => SEGMENT.test(name));
    const faults: string[] = [];
    let found: StoredEpoch | undefined;
    for await (const statement of statementsOf(engine, disk, id, segments)) {
      try {
        found = { id, statement, segments, ...verifyEpoch(engine, statement, logPin) };
        break;
      } catch (thrown) {
        faults.push(asProblem(thrown).detail);
      }
    }
    if (found) epochs.push(found);
    else if (faults.length === 0)
      findings.push(`the epoch ${id} on the stick has no record that opens it: it is left alone`);
    else if (faults.some((fault) => fault.startsWith('the log key has the pin')))
      foreign ??= `its epoch ${id}: ${faults[0]}`;
    else findings.push(`the epoch ${id} on the stick is damaged: ${faults[0]}`);
  }
  return { epochs, findings, foreign };
}

/** The epochs that no other one names as the one before: one, unless an old stick was used again or something is lost. */
export function lastOf(epochs: readonly StoredEpoch[]): StoredEpoch[] {
  const named = new Set(epochs.flatMap(({ event }) => ('origin' in event.obj.prev ? event.obj.prev.origin : [])));
  return epochs.filter(({ event }) => !named.has(event.obj.origin));
}

/** What may be the record that opens an epoch, from each place where it can stand. */
async function* statementsOf(
  engine: Engine,
  disk: StickDisk,
  id: string,
  segments: readonly string[],
): AsyncGenerator<Uint8Array> {
  const folder = `${EPOCHS}/${id}`;
  const proof = await readOrNull(disk, `${folder}/epoch`);
  const extra = proof && orNull(() => parseTlogProof(proof).extra);
  if (extra) yield extra;
  for await (const entries of bundlesOf(disk, id)) {
    yield entries[0]!;
    break;
  }
  for (const name of segments) {
    const bytes = await readOrNull(disk, `${folder}/journal/${name}`, SEGMENT_BYTES);
    const segment = bytes && orNull(() => parseSegment(engine, bytes));
    const opening = segment?.items.find(({ kind, index }) => kind === 'record' && index === 0);
    if (opening) yield opening.payload;
  }
}

/** The bundles of an epoch as far as they stand there one after the other, the last perhaps a partial one. */
export async function* bundlesOf(disk: StickDisk, id: string): AsyncGenerator<Uint8Array[]> {
  for (let index = 0; ; index++) {
    const path = `${EPOCHS}/${id}/${tilePath({ level: 'entries', index, width: TILE_WIDTH })}`;
    const full = await readOrNull(disk, path);
    const width = full ? TILE_WIDTH : await widestPart(disk, `${path}.p`);
    const bytes = full ?? (width > 0 ? await readOrNull(disk, `${path}.p/${width}`) : null);
    const entries = bytes && orNull(() => parseBundle(bytes, width));
    if (!entries) return;
    yield entries;
    if (width < TILE_WIDTH) return;
  }
}

/** The bytes of a file; null when there is none. Rejects with what the disk says. */
export async function readOrNull(disk: StickDisk, path: string, limit = MAX_FILE_BYTES): Promise<Uint8Array | null> {
  try {
    return await disk.read(path, limit);
  } catch (thrown) {
    if (isMissing(thrown) || thrown instanceof Problem) return null;
    throw thrown;
  }
}

/** What `parse` gives; null when it refuses. */
export function orNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch {
    return null;
  }
}

async function widestPart(disk: StickDisk, folder: string): Promise<number> {
  const widths = (await namesIn(disk, folder)).filter((name) => /^[1-9]\d{0,2}$/.test(name)).map(Number);
  return Math.max(0, ...widths.filter((width) => width < TILE_WIDTH));
}
