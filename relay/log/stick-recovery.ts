/**
 * Takes up an epoch of an earlier process from a stick: its records from bundles and journal, its newest head from
 * checkpoints and journal. It comes back as a whole, or not at all: then what its head proves is still known.
 */

import { equalBytes } from '../../protocol/bytes.ts';
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import { committed, lostCommit, parseSegment } from '../../protocol/journal-segment.ts';
import { HASH_BYTES } from '../../protocol/merkle.ts';
import { asProblem } from '../../protocol/problem.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { TILE_WIDTH, tileOfEntries, tilePath } from '../../protocol/tile.ts';
import { EpochTree } from './epoch-tree.ts';
import { KeptEpoch } from './kept-epoch.ts';
import type { PublishedHead } from './log-view.ts';
import { transferIn } from './replay.ts';
import type { StickDisk } from './stick-disk.ts';
import { namesIn } from './stick-files.ts';
import { SEGMENT_BYTES } from './stick-journal.ts';
import { bundlesOf, orNull, readOrNull, type StoredEpoch } from './stick-reader.ts';

/** What became of an epoch of the stick. */
export interface Recovered {
  /** The epoch, closed; null when it is damaged. */
  readonly epoch: KeptEpoch | null;
  /** What the next epoch says of it. */
  readonly previous: Exclude<PreviousEpoch, { source: 'none' }>;
  /** Records that were there, as a signature proves, and are not; null when none are known to be missing. */
  readonly lost: { readonly from: number; readonly below: number } | null;
  readonly findings: readonly string[];
}

/** Reads an epoch. Rejects with what the disk says. */
export async function recover(engine: Engine, disk: StickDisk, stored: StoredEpoch): Promise<Recovered> {
  const { id, keys, event, statement } = stored;
  const { origin } = event.obj;
  const findings: string[] = [];
  const tell = (fact: string): void => void findings.push(`the epoch ${id} on the stick: ${fact}`);

  // 1. Records: bundles first, then what the journal has beyond them.
  const entries: Uint8Array[] = [];
  for await (const bundle of bundlesOf(disk, id)) entries.push(...bundle);
  const journal = await readJournals(engine, disk, stored);
  for (const { payload } of journal.recordsFrom(entries.length)) entries.push(payload);
  const promised = Math.max(0, ...journal.lost(entries.length));

  // 2. The newest head that the epoch's keys signed.
  const signed: PublishedHead[] = [];
  for (const { bytes, name } of [...(await checkpointsOf(disk, id)), ...journal.heads]) {
    try {
      const { head, seconds } = verifyCheckpoint(engine, bytes, origin, keys);
      signed.push({ ...head, seconds, checkpoint: bytes });
    } catch (thrown) {
      tell(`${name} is not by its keys: ${asProblem(thrown).detail}`);
    }
  }
  const newest = signed.sort((a, b) => b.size - a.size || b.seconds - a.seconds)[0] ?? null;

  // 3. Together they are the epoch, or something is damaged.
  if (entries.length === 0) entries.push(statement);
  const below = Math.max(promised, newest?.size ?? 0);
  try {
    const epoch = wholeEpoch(engine, stored, entries, newest);
    if (promised > entries.length) tell(`${promised} records were written, ${entries.length} are there`);
    const lost = promised > entries.length ? { from: entries.length, below: promised } : null;
    return { epoch, previous: epoch.asPrevious(), lost, findings };
  } catch (thrown) {
    tell(asProblem(thrown).detail);
    const from = await firstDamage(engine, disk, id, tell, entries.length);
    const [size, root] = [newest?.size ?? 0, toBase64Url(newest?.root ?? engine.sha256())];
    const previous = {
      origin,
      lastSignedSize: size,
      lastSignedRoot: root,
      tailSize: size,
      tailRoot: root,
      source: 'stick',
    } as const;
    return { epoch: null, previous, lost: { from: Math.min(from, below), below }, findings };
  }
}

/** The epoch of these records, closed; refuses `proof-invalid` when they are not those of its head. */
function wholeEpoch(
  hasher: Engine,
  { statement, keys, event }: StoredEpoch,
  entries: readonly Uint8Array[],
  head: PublishedHead | null,
): KeptEpoch {
  const tree = new EpochTree(hasher, null);
  const { origin } = event.obj;
  const source = 'stick';
  const epoch = new KeptEpoch({ hasher, origin, statement, keys, tree, journal: null, onJournalFault() {}, source });
  for (const entry of entries) tree.append(entry, transferIn(entry));
  if (head) {
    epoch.take(head);
    epoch.publish(head);
  }
  epoch.requireWhole();
  epoch.close();
  return epoch;
}

async function readJournals(engine: Engine, disk: StickDisk, { id, keys, segments }: StoredEpoch) {
  const records = new Map<number, Uint8Array>();
  const heads: { bytes: Uint8Array; name: string }[] = [];
  const read: { bytes: Uint8Array; end: number }[] = [];
  for (const name of segments) {
    const bytes = await readOrNull(disk, `epochs/${id}/journal/${name}`, SEGMENT_BYTES);
    const segment = bytes && orNull(() => parseSegment(engine, bytes));
    if (!segment) continue; // allocated, and never written
    read.push({ bytes, end: segment.end });
    for (const { kind, index, payload } of committed(engine, keys, segment)?.items ?? []) {
      if (kind === 'record') records.set(index, payload);
      else heads.push({ bytes: payload, name: `a checkpoint in journal/${name}` });
    }
  }
  return {
    heads,
    *recordsFrom(first: number) {
      for (let index = first; records.has(index); index++) yield { index, payload: records.get(index)! };
    },
    /** How many records commits behind damage tell of, if more than `below`. */
    lost: (below: number) => read.flatMap(({ bytes, end }) => lostCommit(engine, keys, bytes, { end }, below) ?? []),
  };
}

async function checkpointsOf(disk: StickDisk, id: string) {
  const names = (await namesIn(disk, `epochs/${id}/checkpoints`)).filter((name) => /^[1-9]\d{0,15}$/.test(name));
  const newest = names.sort((a, b) => Number(b) - Number(a)).slice(0, 2);
  const heads: { bytes: Uint8Array; name: string }[] = [];
  for (const size of newest) {
    const bytes = await readOrNull(disk, `epochs/${id}/checkpoints/${size}`);
    if (bytes) heads.push({ bytes, name: `checkpoints/${size}` });
  }
  return heads;
}

/** Names the first bundle whose entries do not have the hashes of its tile; gives the first record that may be wrong. */
async function firstDamage(
  engine: Engine,
  disk: StickDisk,
  id: string,
  tell: (fact: string) => void,
  size: number,
): Promise<number> {
  let index = 0;
  for await (const entries of bundlesOf(disk, id)) {
    const tile = { level: 0, index, width: entries.length };
    const hashes = await readOrNull(disk, `epochs/${id}/${tilePath(tile)}`, TILE_WIDTH * HASH_BYTES);
    if (!hashes || !equalBytes(hashes, tileOfEntries(engine, entries))) {
      tell(`${tilePath({ ...tile, level: 'entries' })} and ${tilePath(tile)} do not agree`);
      return index * TILE_WIDTH;
    }
    index += 1;
  }
  return size;
}
