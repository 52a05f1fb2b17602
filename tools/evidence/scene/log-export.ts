/**
 * An export of the audit log as `ghostpipe-audit export` writes it, read for the checks of the log: its newest epoch,
 * which is the root of the folder. Nothing of it is believed here; the checks verify it from the pin alone.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { verifyCheckpoint } from '../../../protocol/checkpoint.ts';
import type { Engine } from '../../../protocol/engine/engine.ts';
import { verifyEpoch } from '../../../protocol/epoch.ts';
import { MAX_NOTE_BYTES } from '../../../protocol/note.ts';
import { Problem } from '../../../protocol/problem.ts';
import { fromDecimal } from '../../../protocol/text.ts';
import { parseBundle, TILE_WIDTH, tilePath } from '../../../protocol/tile.ts';
import { parseTlogProof } from '../../../protocol/tlog-proof.ts';
import { readPlainFile } from '../../lib/files.ts';
import type { Head, LogCopy } from './log-copy.ts';

/** Records of an epoch that fit into memory beside each other. */
const MAX_RECORDS = 1_048_576;
/** 256 entries of at most 64 KiB. */
const BUNDLE_LIMIT = 16_777_728;
const PROOF_LIMIT = 262_144;

/**
 * Reads the newest epoch of an export. Refuses `log-missing` for what is not there, `log-epoch-invalid` for the log of
 * another relay than that of `logPin`, and what is no log.
 */
export function readLogExport(engine: Engine, folder: string, logPin: string): LogCopy {
  const { extra: statement } = parseTlogProof(readRequired(folder, 'epoch', PROOF_LIMIT));
  if (!statement) throw new Problem('proof-invalid', `${join(folder, 'epoch')} does not hold its log record`);
  const { event, keys } = verifyEpoch(engine, statement, logPin);
  const { origin } = event.obj;
  const heads = headsIn(folder);
  const newest = heads.at(-1);
  if (!newest) throw new Problem('log-missing', `${join(folder, 'checkpoints')} holds no head`);
  if (newest.size > MAX_RECORDS) {
    throw new Problem('file-invalid', `the epoch has ${newest.size} records, at most ${MAX_RECORDS} are looked at`);
  }
  const { seconds } = verifyCheckpoint(engine, newest.checkpoint, origin, keys);
  const records = recordsIn(folder, newest.size);
  return { origin, logPin, statement, heads, records, growth: null, copiedMs: seconds * 1000 };
}

function headsIn(folder: string): Head[] {
  const path = join(folder, 'checkpoints');
  const sizes = existsSync(path) ? readdirSync(path).map(fromDecimal) : [];
  return sizes
    .sort((a, b) => a - b)
    .map((size) => ({ size, checkpoint: readRequired(folder, `checkpoints/${size}`, MAX_NOTE_BYTES) }));
}

/** The records of the first `size` leaves; one that was dropped is missing, and what follows it is not read. */
function recordsIn(folder: string, size: number): Uint8Array[] {
  const records: Uint8Array[] = [];
  for (let index = 0; records.length < size; index++) {
    const wanted = Math.min(TILE_WIDTH, size - index * TILE_WIDTH);
    const bundle = bundleIn(folder, index, wanted);
    if (!bundle) break;
    records.push(...bundle.slice(0, wanted));
  }
  return records;
}

/** The narrowest bundle that holds as many entries as are wanted. */
function bundleIn(folder: string, index: number, wanted: number): Uint8Array[] | undefined {
  for (let width = wanted; width <= TILE_WIDTH; width++) {
    const bytes = readPlainFile(join(folder, tilePath({ level: 'entries', index, width })), BUNDLE_LIMIT);
    if (bytes) return parseBundle(bytes, width);
  }
  return undefined;
}

function readRequired(folder: string, file: string, limit: number): Uint8Array {
  const bytes = readPlainFile(join(folder, file), limit);
  if (!bytes) throw new Problem('log-missing', `${join(folder, file)} does not exist`);
  return bytes;
}
