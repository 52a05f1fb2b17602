/** What is signed of an epoch: its statement by the relay's log key, and its heads by the keys in the statement. */
import { equalBytes } from '../../protocol/bytes.ts';
import { type LogKeys, verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { type VerifiedEpoch, verifyEpoch } from '../../protocol/epoch.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { parseVerifierKey } from '../../protocol/note-key.ts';
import { Problem } from '../../protocol/problem.ts';
import { toBase64 } from '../../protocol/text.ts';
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import type { EpochFiles } from './epoch-files.ts';
import type { EpochPlace } from './export-source.ts';
import type { Findings } from './findings.ts';
import { EARLIER, EPOCHS, type EpochFile, epochIdOf, epochPath } from './layout.ts';

/** A head whose signatures hold. */
export interface SignedHead {
  readonly size: number;
  readonly root: Uint8Array;
  readonly seconds: number;
  /** The whole note. */
  readonly checkpoint: Uint8Array;
  /** Where it stands, below the export. */
  readonly file: string;
}

export interface SignedEpoch {
  readonly place: EpochPlace;
  readonly folder: EpochFiles;
  readonly origin: string;
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly event: VerifiedEpoch['event'];
  readonly statement: Uint8Array;
  readonly keys: LogKeys;
  /** By size, ascending; empty when none is there that holds. */
  readonly heads: readonly SignedHead[];
  /** Heads that are there, whether they hold or not. */
  readonly headsFound: number;
}

/** The path below the export of a file of an epoch. */
export function pathIn({ at }: EpochPlace, file: EpochFile | string): string {
  const path = typeof file === 'string' ? file : epochPath(file);
  return at === '' ? path : `${at}/${path}`;
}

/** Checks statement, keys and heads of an epoch. Undefined when its statement does not hold: nothing else could be checked. */
export function openSignedEpoch(
  engine: Engine,
  place: EpochPlace,
  logPin: string,
  findings: Findings,
): SignedEpoch | undefined {
  const folder = findings.attempt(place.at || '.', () => place.open());
  if (!folder) return undefined;
  tellStrange(place, folder, findings);
  const opened = findings.attempt(pathIn(place, { kind: 'statement' }), () =>
    openStatement(engine, place, folder, logPin),
  );
  if (!opened) return undefined;
  const { verified, statement } = opened;
  const { event, keys } = verified;
  const { origin } = event.obj;
  checkVerifierKeys(engine, place, folder, origin, keys, findings);
  const heads = checkHeads(engine, place, folder, origin, keys, findings);
  const epoch = { place, folder, origin, id: epochIdOf(origin), event, statement, keys };
  return { ...epoch, heads, headsFound: folder.headSizes.length };
}

function tellStrange(place: EpochPlace, folder: EpochFiles, findings: Findings): void {
  for (const { path, isTrick } of folder.strange) {
    const file = pathIn(place, path);
    if (isTrick)
      findings.add('file-invalid', file, 'a link, a device, or a folder and a file mixed up: it is not read');
    else findings.note(`${file} is no part of an export; it was not looked at`);
  }
}

function openStatement(engine: Engine, place: EpochPlace, folder: EpochFiles, logPin: string) {
  const bytes = folder.read({ kind: 'statement' });
  if (!bytes) throw new Problem('log-missing', 'the epoch statement is not there: nobody can check a head without it');
  const proof = parseTlogProof(bytes);
  const statement = proof.extra;
  if (!statement || proof.index !== 0) throw new Problem('proof-invalid', 'it is not leaf 0 with its log record');
  const verified = verifyEpoch(engine, statement, logPin);
  const { origin } = verified.event.obj;
  verifyTlogProof(engine, proof, leafHash(engine, statement), origin, verified.keys);
  const expected = [EARLIER, EPOCHS].find((parent) => place.at.startsWith(`${parent}/`));
  if (expected && place.at !== `${expected}/${epochIdOf(origin)}`) {
    throw new Problem('log-export-invalid', `the folder is that of another epoch than ${origin}`);
  }
  return { verified, statement };
}

/** `vkeys.txt` is for other tools; nothing here is checked with it. */
function checkVerifierKeys(
  engine: Engine,
  place: EpochPlace,
  folder: EpochFiles,
  origin: string,
  keys: LogKeys,
  findings: Findings,
): void {
  findings.attempt(pathIn(place, { kind: 'verifier-keys' }), () => {
    const bytes = folder.read({ kind: 'verifier-keys' });
    if (!bytes) throw new Problem('log-missing', 'the verifier keys are not there');
    const lines = new TextDecoder()
      .decode(bytes)
      .split('\n')
      .filter((line) => line !== '');
    const found = lines.map((line) => parseVerifierKey(engine, line));
    const foreign = found.find((key) => key.name !== origin || !equalBytes(key.publicKey, keys[key.algorithm]));
    const kinds = new Set(found.map(({ algorithm }) => algorithm)).size;
    if (foreign || kinds !== Object.keys(keys).length) {
      throw new Problem('log-export-invalid', `it does not hold the three keys of the epoch statement of ${origin}`);
    }
  });
}

function checkHeads(
  engine: Engine,
  place: EpochPlace,
  folder: EpochFiles,
  origin: string,
  keys: LogKeys,
  findings: Findings,
): SignedHead[] {
  const heads: SignedHead[] = [];
  const read = (which: EpochFile): SignedHead | undefined => {
    const file = pathIn(place, which);
    return findings.attempt(file, () => {
      const checkpoint = folder.read(which);
      if (!checkpoint) throw new Problem('log-missing', 'the newest checkpoint is not there');
      const { head, seconds, held } = verifyCheckpoint(engine, checkpoint, origin, keys);
      if (which.kind === 'head' && which.size !== head.size) {
        throw new Problem('log-export-invalid', `the checkpoint is of size ${head.size}, its name says ${which.size}`);
      }
      if (!held.includes('ed25519')) findings.note(`${file} has no Ed25519 line: public tools cannot read it`);
      return { ...head, seconds, checkpoint, file };
    });
  };
  for (const size of folder.headSizes) {
    const head = read({ kind: 'head', size });
    if (!head) continue;
    const before = heads.at(-1);
    if (before && before.seconds >= head.seconds) {
      const detail = `its time is ${head.seconds}, not after ${before.seconds} of ${before.file}, which is smaller`;
      findings.add('log-checkpoint-invalid', head.file, detail);
    }
    heads.push(head);
  }
  const copy = read({ kind: 'checkpoint' });
  const newest = heads.at(-1);
  if (!copy) return heads;
  if (!newest || copy.size > newest.size) return [...heads, copy];
  const same = heads.find(({ size }) => size === copy.size);
  if (same && !equalBytes(same.root, copy.root)) {
    const detail = `size ${copy.size} has the root ${toBase64(copy.root)} here and ${toBase64(same.root)} in ${same.file}`;
    findings.add('log-forked', copy.file, detail);
  } else if (copy.size < newest.size && !place.at.startsWith(EPOCHS)) {
    findings.add('log-rolled-back', copy.file, `it has the size ${copy.size}, ${newest.file} is newer`);
  } else if (!same) {
    return [...heads, copy].sort((a, b) => a.size - b.size);
  }
  return heads;
}
