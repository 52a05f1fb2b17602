/**
 * Brings an epoch of the archive up to the relay's newest head, by what is new: bundles from the first one that the archive
 * has not full. They have to lead from the head that the archive has to every newer one, so nothing of before is read again.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import { type VerifiedCheckpoint, verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import { toBase64 } from '../../protocol/text.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { ArchiveStore } from './archive-store.ts';
import { EpochFolder } from './epoch-folder.ts';
import type { RelayEpoch } from './epoch-pull.ts';
import { folderReader } from './epoch-tiles.ts';
import { EpochWriter, type WrittenHead } from './epoch-writer.ts';
import type { RelayLog } from './relay-log.ts';

/** What the archive has of an epoch, and had. */
export interface Followed {
  readonly id: string;
  readonly origin: string;
  readonly before: number;
  readonly size: number;
}

interface Head extends WrittenHead {
  readonly root: Uint8Array;
}

/**
 * Takes in what is new of an epoch of which the archive has a head. Refuses what contradicts the archive (`log-rolled-back`,
 * `log-forked`), records that are none, and heads that the records do not give (`proof-invalid`); then nothing is taken.
 */
export async function followEpoch(
  engine: Engine,
  log: RelayLog,
  store: ArchiveStore,
  epoch: RelayEpoch,
): Promise<Followed> {
  const { id, origin, keys, head } = epoch;
  const folder = store.epoch(id)!;
  const before = verifyCheckpoint(engine, folder.read({ kind: 'head', size: folder.headSizes.at(-1)! })!, origin, keys);
  const { size: known } = before.head;
  const followed: Followed = { id, origin, before: known, size: head.size };
  if (head.size < known) {
    throw new Problem(
      'log-rolled-back',
      `the relay shows ${origin} with ${head.size} leaves, the archive has ${known}`,
    );
  }
  if (head.size === known) {
    requireRoot('log-forked', origin, head, before.head.root);
    return followed;
  }
  const heads = await newHeads(engine, log, epoch, known);
  store.clearIncoming();
  const from = known - (known % TILE_WIDTH);
  const writer = new EpochWriter(engine, store.incoming, {
    after: { size: from, read: folderReader(engine, folder, known) },
  });
  const waiting = [...heads];
  const onLeaf = (): void => {
    if (writer.size === known) requireRoot('log-forked', origin, before.head, writer.root());
    if (writer.size === waiting[0]?.size) requireRoot('proof-invalid', origin, waiting.shift()!, writer.root());
  };
  while (writer.size < head.size) {
    const index = writer.size / TILE_WIDTH;
    const bundle = { level: 'entries', index, width: Math.min(TILE_WIDTH, head.size - writer.size) } as const;
    const entries = await log.entries(origin, bundle);
    for (const [i, entry] of entries.entries()) requireRecord(origin, entry, index * TILE_WIDTH + i);
    writer.append(entries, onLeaf);
  }
  writer.end();
  writer.write({ kind: 'statement' }, epoch.proof);
  writer.writeHeads(origin, keys, heads);
  store.take(id, new EpochFolder(store.incoming));
  store.clearIncoming();
  return followed;
}

/** Heads above the one that is known, ascending, up to that of the statement. */
async function newHeads(engine: Engine, log: RelayLog, epoch: RelayEpoch, known: number): Promise<Head[]> {
  const { origin, keys, head: newest, checkpoint } = epoch;
  const heads = new Map<number, Head>([[newest.size, { ...newest, checkpoint }]]);
  for (const { origin: of, size } of await log.heads()) {
    if (of !== origin || size <= known || size >= newest.size) continue;
    const note = await log.checkpoint(origin, size);
    const { head }: VerifiedCheckpoint = verifyCheckpoint(engine, note, origin, keys);
    heads.set(head.size, { ...head, checkpoint: note });
  }
  return [...heads.values()].sort((a, b) => a.size - b.size);
}

function requireRecord(origin: string, entry: Uint8Array, index: number): void {
  const { i } = parseLogRecord(entry);
  if (i !== index) throw new Problem('log-record-invalid', `leaf ${index} of ${origin} says that it is leaf ${i}`);
}

function requireRoot(
  code: ProblemCode,
  origin: string,
  { size, root }: { readonly size: number; readonly root: Uint8Array },
  found: Uint8Array,
): void {
  if (equalBytes(root, found)) return;
  throw new Problem(
    code,
    `${size} leaves of ${origin} have the root ${toBase64(root)}, another one is ${toBase64(found)}`,
  );
}
