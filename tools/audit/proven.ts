/** Single records of an export, each proved to be under the newest head of its epoch. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { type LogEvent, parseLogRecord } from '../../protocol/log-record.ts';
import { inclusionProof, leafHash, verifyInclusion } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import { folderReader, readEntry } from './epoch-tiles.ts';
import { findEpochs } from './export-folder.ts';
import { Findings } from './findings.ts';
import { openSignedEpoch, type SignedEpoch, type SignedHead } from './signed-epoch.ts';
import type { Unseal } from './unseal.ts';

export interface ProvenRecord {
  readonly event: LogEvent;
  readonly bytes: Uint8Array;
  readonly hashes: readonly Uint8Array[];
}

/** The epochs of an export whose statements and heads hold; refuses the first thing that does not. */
export function openEpochs(engine: Engine, folder: string, logPin: string, unseal?: Unseal): SignedEpoch[] {
  const findings = new Findings();
  const epochs = findEpochs(folder, unseal).flatMap((place) => openSignedEpoch(engine, place, logPin, findings) ?? []);
  const [first] = findings.failures;
  if (first) throw new Problem(first.code, `${first.file}: ${first.detail}`);
  return epochs;
}

/** The newest head of an epoch; refuses `log-missing`. */
export function newestHead({ origin, heads }: SignedEpoch): SignedHead {
  const head = heads.at(-1);
  if (!head) throw new Problem('log-missing', `no head of ${origin} is here`);
  return head;
}

/**
 * Leaf `index` with the proof that it is under the newest head. Refuses `usage` for one that is not, `proof-invalid` when
 * record and tiles do not lead there, and what reading the folder refuses.
 */
export function provenRecord(engine: Engine, epoch: SignedEpoch, index: number): ProvenRecord {
  const { size, root } = newestHead(epoch);
  if (index >= size) throw new Problem('usage', `leaf ${index} is not under the newest head, which has ${size} leaves`);
  const bytes = readEntry(epoch.folder, index, size);
  const hashes = inclusionProof(engine, folderReader(engine, epoch.folder, size), index, size);
  verifyInclusion(engine, hashes, index, leafHash(engine, bytes), size, root);
  return { event: parseLogRecord(bytes), bytes, hashes };
}

/** The record and its proof as a file that needs nothing else. */
export function proofFileOf(epoch: SignedEpoch, { event, bytes, hashes }: ProvenRecord): Uint8Array {
  const { checkpoint } = newestHead(epoch);
  return formatTlogProof({ extra: bytes, index: event.i, hashes, checkpoint });
}
