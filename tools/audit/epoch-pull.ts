/**
 * Pulls one epoch from the relay into a folder and verifies on the way that the records give the root of every head.
 * Bundles that an earlier attempt or export holds are not asked for again.
 */
import { existsSync, rmSync } from 'node:fs';
import { equalBytes } from '../../protocol/bytes.ts';
import { type VerifiedCheckpoint, verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { type VerifiedEpoch, verifyEpoch } from '../../protocol/epoch.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import { toBase64 } from '../../protocol/text.ts';
import { TILE_WIDTH, type Tile } from '../../protocol/tile.ts';
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import { EpochFolder } from './epoch-folder.ts';
import { readEntries, readHashes } from './epoch-tiles.ts';
import { EpochWriter, type SealedBundle } from './epoch-writer.ts';
import { epochIdOf } from './layout.ts';
import type { RelayLog } from './relay-log.ts';
import type { Sealer } from './unseal.ts';

/** An epoch whose statement was verified, up to the head that came with it. */
export interface RelayEpoch extends VerifiedEpoch {
  readonly origin: string;
  readonly id: string;
  readonly statement: Uint8Array;
  /** The `.tlog-proof` of the statement. */
  readonly proof: Uint8Array;
  readonly checkpoint: Uint8Array;
  readonly head: VerifiedCheckpoint['head'];
}

export interface PullOptions {
  readonly engine: Engine;
  readonly log: RelayLog;
  /** How the epoch ended, by the statement of the next one; its last records may be under no head. */
  readonly tail: Tail | null;
  /** Folder of this epoch in an earlier export. */
  readonly earlier: string | null;
  /** Seals what is written; null for an export in clear. */
  readonly sealer: Sealer | null;
  /** Called with the leaves so far. */
  readonly onLeaves: (leaves: number) => void;
}

export interface Tail {
  readonly size: number;
  readonly root: Uint8Array;
}

interface Head extends Tail {
  readonly checkpoint: Uint8Array;
}

/** The statement of an epoch, the newest when none is named. Refuses `not-available`, and what does not verify. */
export async function fetchEpoch(engine: Engine, log: RelayLog, logPin: string, named?: string): Promise<RelayEpoch> {
  const proof = await log.statement(named);
  const parsed = parseTlogProof(proof);
  const statement = parsed.extra;
  if (!statement || parsed.index !== 0) throw new Problem('proof-invalid', 'the relay gave no leaf 0 with its record');
  const verified = verifyEpoch(engine, statement, logPin);
  const { origin } = verified.event.obj;
  if (named !== undefined && named !== origin) {
    throw new Problem('log-epoch-invalid', `the relay gave the statement of ${origin} for that of ${named}`);
  }
  const { head } = verifyTlogProof(engine, parsed, leafHash(engine, statement), origin, verified.keys);
  const { checkpoint } = parsed;
  return { ...verified, origin, id: epochIdOf(origin), statement, proof, checkpoint, head };
}

/**
 * Writes an epoch to `path`. False when the relay has dropped its records: then statement and heads are there alone.
 * Refuses `proof-invalid` when the records do not give the root of a head; `path` stays as it is then.
 */
export async function pullEpoch(epoch: RelayEpoch, path: string, options: PullOptions): Promise<boolean> {
  const held = [path, options.earlier ?? path]
    .filter((folder) => existsSync(folder))
    .map((folder) => new EpochFolder(folder));
  const heads = await headsOf(epoch, held, options);
  try {
    return await writeAll(epoch, path, heads, held, options);
  } catch (thrown) {
    if (held.length === 0 || !(thrown instanceof Problem) || thrown.code !== 'proof-invalid') throw thrown;
    // What was held may be what is wrong: once more from the relay alone.
    rmSync(path, { recursive: true, force: true });
    return await writeAll(epoch, path, heads, [], options);
  }
}

async function writeAll(
  epoch: RelayEpoch,
  path: string,
  heads: readonly Head[],
  held: readonly EpochFolder[],
  { engine, log, tail, sealer, onLeaves }: PullOptions,
): Promise<boolean> {
  const { origin, keys, head } = epoch;
  const size = Math.max(head.size, tail?.size ?? 0);
  const writer = new EpochWriter(engine, path, { sealer });
  writer.write({ kind: 'statement' }, epoch.proof);
  writer.writeHeads(origin, keys, heads);
  const waiting: Tail[] = [...heads, ...(tail && size > head.size ? [tail] : [])];
  const onLeaf = (): void => {
    if (writer.size === head.size) writer.end(); // behind an unsigned tail the tiles of the newest head stay readable
    if (writer.size === waiting[0]?.size) requireRoot(origin, waiting.shift()!, writer.root());
  };
  const bundleAt = (from: number): Tile => {
    return { level: 'entries', index: from / TILE_WIDTH, width: Math.min(TILE_WIDTH, size - from) };
  };
  const fetch = (from: number): Promise<Uint8Array[]> | undefined => {
    if (from >= size) return undefined;
    const bundle = bundleAt(from);
    const entries = heldEntries(held, bundle);
    const asked = entries ? Promise.resolve(entries) : log.entries(origin, bundle);
    asked.catch(() => {}); // it is looked at later
    return asked;
  };
  let newest: Uint8Array = epoch.statement;
  for (let coming = fetch(0); coming; ) {
    const first = writer.size;
    const entries = await coming.catch(unless('not-available'));
    const before = entries ? undefined : sealedBefore(held, bundleAt(first));
    coming = fetch(first + (entries ?? before?.hashes ?? []).length);
    if (entries) writer.append(entries, onLeaf);
    else if (before) writer.appendSealed(before, onLeaf);
    else return false;
    newest = entries?.[head.size - 1 - first] ?? newest;
    onLeaves(writer.size);
  }
  writer.end();
  writer.writeProofs(heads, newest);
  return true;
}

function requireRoot(origin: string, { size, root }: Tail, found: Uint8Array): void {
  if (equalBytes(found, root)) return;
  const detail = `the records of ${origin} give the root ${toBase64(found)}, ${size} leaves of it have ${toBase64(root)}`;
  throw new Problem('proof-invalid', detail);
}

/** Makes one refusal nothing. */
function unless(code: ProblemCode): (thrown: unknown) => undefined {
  return (thrown) => {
    if (!(thrown instanceof Problem) || thrown.code !== code) throw thrown;
  };
}

/** A full bundle that is held; part of one is asked for anew. */
function heldEntries(held: readonly EpochFolder[], bundle: Tile): Uint8Array[] | undefined {
  for (const folder of bundle.width === TILE_WIDTH ? held : []) {
    try {
      return readEntries(folder, bundle);
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
    }
  }
  return undefined;
}

/** A full bundle that an earlier export has sealed: what the relay has no more, and nobody here can read. */
function sealedBefore(held: readonly EpochFolder[], { index, width }: Tile): SealedBundle | undefined {
  for (const folder of width === TILE_WIDTH ? held : []) {
    try {
      const sealed = folder.read({ kind: 'sealed', tile: { level: 'entries', index, width } });
      if (sealed) return { sealed, hashes: readHashes(folder, { level: 0, index, width }) };
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
    }
  }
  return undefined;
}

/** Heads up to that of the statement, ascending: those of the relay, and those that it keeps no more. */
async function headsOf(epoch: RelayEpoch, held: readonly EpochFolder[], { engine, log }: PullOptions): Promise<Head[]> {
  const { origin, keys, head: newest } = epoch;
  const heads = new Map<number, Head>([[newest.size, { ...newest, checkpoint: epoch.checkpoint }]]);
  const take = (checkpoint: Uint8Array): void => {
    const { head } = verifyCheckpoint(engine, checkpoint, origin, keys);
    const known = heads.get(head.size);
    const isCosigned = known && equalBytes(known.root, head.root) && checkpoint.length > known.checkpoint.length;
    if (head.size <= newest.size && (!known || isCosigned)) heads.set(head.size, { ...head, checkpoint });
  };
  for (const { origin: of, size } of await log.heads()) {
    if (of !== origin || size > newest.size) continue;
    const checkpoint = await log.checkpoint(origin, size).catch(unless('not-available'));
    if (checkpoint) take(checkpoint);
  }
  for (const folder of held) {
    for (const size of folder.headSizes) {
      try {
        const checkpoint = folder.read({ kind: 'head', size });
        if (checkpoint) take(checkpoint);
      } catch (thrown) {
        if (!(thrown instanceof Problem)) throw thrown; // what is damaged there is not taken over
      }
    }
  }
  return [...heads.values()].sort((a, b) => a.size - b.size);
}
