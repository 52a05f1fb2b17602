/**
 * The bundle: evidence records under one Merkle root in the form of the product's own log, and a statement over root,
 * policy, subject and verdicts that an evidence key signs twice. All of it can be checked off line.
 *
 *     evidence.jsonl   one record a line
 *     matrix.csv       one item a line, made from the verdicts
 *     bundle.json      the signed statement
 */
import { join } from 'node:path';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes } from '../../protocol/canonical.ts';
import type { Engine, SigningKey, VerifyingKeys } from '../../protocol/engine/engine.ts';
import { GrowingTree } from '../../protocol/growing-tree.ts';
import { keysFromText, keysText } from '../../protocol/identity.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { flag, integer, list, type Of, object, oneOf, text } from '../../protocol/shape.ts';
import { verifyingKeys, version1 } from '../../protocol/shapes.ts';
import { type DocumentKind, openDocumentBytes, signDocument } from '../../protocol/signed.ts';
import { pinOf, toHex } from '../../protocol/text.ts';
import { readFileBounded, writeFileAtomic } from '../lib/files.ts';
import { matrixCsv } from './matrix.ts';
import type { Policy } from './policy/policy.ts';
import { type EvidenceRecord, formatRecord, parseRecord, type Subject, subjectShape } from './record.ts';
import { type ItemVerdict, judge, VERDICTS } from './verdict.ts';

const EVIDENCE_LIMIT = 16_777_216;
const MATRIX_LIMIT = 1_048_576;

const name = text('a name', 1, 80);
const hash = text('a SHA-256 in hex', 64, 64, /^[0-9a-f]{64}$/);

const body = object({
  v: version1,
  profile: name,
  subject: subjectShape,
  policyHash: hash,
  /** How many records there are, and the root of their tree. */
  size: integer(1, 1000),
  root: hash,
  /** By which evidence had to be fresh, in milliseconds. */
  judgedMs: integer(0, Number.MAX_SAFE_INTEGER),
  verdicts: list(object({ item: name, verdict: oneOf(VERDICTS) }), 1, 200, ({ item }) => item),
  /** Whether the root stands in the audit log of the relay. */
  anchored: flag,
  keys: verifyingKeys,
});
export type BundleStatement = Of<typeof body>;

export const BUNDLE: DocumentKind<BundleStatement> = {
  label: 'ghostpipe/evidence-bundle/v1',
  body,
  limit: 262_144,
};

/** A run, ready to be written. */
export interface Bundle {
  readonly profile: string;
  readonly subject: Subject;
  readonly records: readonly EvidenceRecord[];
  readonly verdicts: readonly ItemVerdict[];
  readonly judgedMs: number;
}

/** The pin of an evidence key: what a reader of bundles is told by another way. */
export function evidenceKeyHash(keys: VerifyingKeys): string {
  return pinOf(concat(utf8('ghostpipe/evidence-key/v1'), keys.mldsa65, keys.ed25519));
}

/** Writes a bundle to a folder, signed by `key`. The statement is written last. */
export function writeBundle(engine: Engine, folder: string, bundle: Bundle, policy: Policy, key: SigningKey): void {
  const { records, verdicts, profile, subject, judgedMs } = bundle;
  const lines = records.map(formatRecord);
  const statement: BundleStatement = {
    v: 1,
    profile,
    subject,
    policyHash: policy.hash,
    size: lines.length,
    root: rootOf(engine, lines),
    judgedMs,
    verdicts: verdicts.map(({ item, verdict }) => ({ item, verdict })),
    anchored: false,
    keys: keysText(key.publicKeys),
  };
  writeFileAtomic(join(folder, 'evidence.jsonl'), lines.map((line) => `${line}\n`).join(''), 0o644);
  writeFileAtomic(join(folder, 'matrix.csv'), matrixCsv(verdicts), 0o644);
  writeFileAtomic(join(folder, 'bundle.json'), canonicalBytes(signDocument(engine, key, BUNDLE, statement)), 0o644);
}

export interface VerifiedBundle {
  readonly statement: BundleStatement;
  readonly records: readonly EvidenceRecord[];
  readonly verdicts: readonly ItemVerdict[];
  readonly keyHash: string;
}

/**
 * Checks a bundle with nothing but the policy of this software: signatures, root, each record, and every verdict anew.
 * Refuses `evidence-invalid`, and `file-invalid` for what cannot be read.
 */
export function verifyBundle(engine: Engine, folder: string, policy: Policy): VerifiedBundle {
  const statement = openStatement(engine, readAll(folder, 'bundle.json', BUNDLE.limit));
  const { policyHash, size, root, subject, judgedMs } = statement;
  if (policyHash !== policy.hash) {
    throw invalid(`the bundle was made under the policy ${policyHash}, this software has ${policy.hash}`);
  }
  const lines = readLines(folder);
  if (lines.length !== size) throw invalid(`evidence.jsonl has ${lines.length} records, the statement says ${size}`);
  const actual = rootOf(engine, lines);
  if (actual !== root) throw invalid(`the records have the root ${actual}, the statement says ${root}`);
  const records = lines.map(parseRecord);
  const verdicts = judge(policy, records, { subject, nowMs: judgedMs });
  const other = verdicts.find(({ item, verdict }, i) => {
    const said = statement.verdicts[i];
    return said?.item !== item || said.verdict !== verdict;
  });
  if (other || statement.verdicts.length !== verdicts.length) {
    throw invalid(
      `the evidence makes ${other?.item ?? 'the list'} "${other?.verdict ?? 'longer'}", the statement says otherwise`,
    );
  }
  const matrix = Buffer.from(readAll(folder, 'matrix.csv', MATRIX_LIMIT)).toString('utf8');
  if (matrix !== matrixCsv(verdicts)) throw invalid('matrix.csv is not what the verdicts say');
  return { statement, records, verdicts, keyHash: evidenceKeyHash(keysFromText(statement.keys)) };
}

/** The records of an earlier bundle, whose signatures and root hold; whether they may count is for the verdicts to say. */
export function readEvidence(engine: Engine, folder: string): readonly EvidenceRecord[] {
  const { size, root } = openStatement(engine, readAll(folder, 'bundle.json', BUNDLE.limit));
  const lines = readLines(folder);
  if (lines.length !== size || rootOf(engine, lines) !== root)
    throw invalid('the records are not those that were signed');
  return lines.map(parseRecord);
}

function openStatement(engine: Engine, bytes: Uint8Array): BundleStatement {
  try {
    return openDocumentBytes(engine, BUNDLE, bytes, ({ keys }) => keysFromText(keys));
  } catch (thrown) {
    throw invalid(`bundle.json: ${asProblem(thrown).detail}`);
  }
}

function readLines(folder: string): string[] {
  const lines = Buffer.from(readAll(folder, 'evidence.jsonl', EVIDENCE_LIMIT))
    .toString('utf8')
    .split('\n');
  if (lines.pop() !== '') throw invalid('evidence.jsonl does not end in a newline');
  return lines;
}

function readAll(folder: string, file: string, limit: number): Uint8Array {
  const bytes = readFileBounded(join(folder, file), limit);
  if (!bytes) throw new Problem('file-invalid', `${join(folder, file)} does not exist`);
  return bytes;
}

function rootOf(engine: Engine, lines: readonly string[]): string {
  const tree = new GrowingTree(engine);
  for (const line of lines) tree.append(leafHash(engine, utf8(line)));
  return toHex(tree.root());
}

function invalid(fact: string): Problem {
  return new Problem('evidence-invalid', fact);
}
