/** A bundle is what was signed, or nothing: each changed byte and each typed-in word is found off line. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { signDocument } from '../../protocol/signed.ts';
import {
  BUNDLE,
  type BundleStatement,
  evidenceKeyHash,
  readEvidence,
  verifyBundle,
  writeBundle,
} from '../../tools/evidence/bundle.ts';
import { evidenceKey } from '../../tools/evidence/evidence-key.ts';
import { matrixCsv } from '../../tools/evidence/matrix.ts';
import { judge } from '../../tools/evidence/verdict.ts';
import { NOW, POLICY, passingRecords, SUBJECT } from '../fixtures/evidence.ts';

const KEY = engine.signingKey(new Uint8Array(32).fill(7));

/** A bundle in a folder of its own. */
function makeBundle(t: Test): string {
  const folder = t.testdir();
  const records = passingRecords();
  const verdicts = judge(POLICY, records, { subject: SUBJECT, nowMs: NOW });
  writeBundle(engine, folder, { profile: 'sl2', subject: SUBJECT, records, verdicts, judgedMs: NOW }, POLICY, KEY);
  return folder;
}

function statementOf(folder: string): BundleStatement {
  return JSON.parse(readFileSync(join(folder, 'bundle.json'), 'utf8')).signed;
}

/** Signs another statement with the very key, as a dishonest maker could. */
function resign(folder: string, change: Partial<BundleStatement>): void {
  const statement = { ...statementOf(folder), ...change };
  writeFileSync(join(folder, 'bundle.json'), canonicalBytes(signDocument(engine, KEY, BUNDLE, statement)));
}

t.test('a bundle verifies, and says by whom it is signed', async (t) => {
  const folder = makeBundle(t);
  const { statement, records, verdicts, keyHash } = verifyBundle(engine, folder, POLICY);
  t.match(statement, { profile: 'sl2', size: POLICY.checks.length, anchored: false, subject: SUBJECT });
  t.equal(keyHash, evidenceKeyHash(KEY.publicKeys));
  t.equal(records.length, POLICY.checks.length);
  t.equal(verdicts.length, 100);
  t.same(readEvidence(engine, folder), records);
});

t.test('the same evidence makes the same bytes', async (t) => {
  const [first, second] = [makeBundle(t), readFileSync(join(makeBundle(t), 'evidence.jsonl'))];
  t.ok(readFileSync(join(first, 'evidence.jsonl')).equals(second));
});

t.test('one changed byte in any file is found', async (t) => {
  for (const [file, at] of [
    ['bundle.json', 40],
    ['bundle.json', -100],
    ['evidence.jsonl', 300],
    ['evidence.jsonl', -3],
    ['matrix.csv', 200],
  ] as const) {
    const folder = makeBundle(t);
    const path = join(folder, file);
    const bytes = readFileSync(path);
    const place = at < 0 ? bytes.length + at : at;
    bytes[place]! ^= 1;
    writeFileSync(path, bytes);
    t.throws(() => verifyBundle(engine, folder, POLICY), { code: 'evidence-invalid' }, `${file} at ${at}`);
  }
});

t.test('what is left out or typed in is found, also when it was signed', async (t) => {
  const lines = (folder: string) => readFileSync(join(folder, 'evidence.jsonl'), 'utf8');
  const fewer = makeBundle(t);
  writeFileSync(join(fewer, 'evidence.jsonl'), lines(fewer).split('\n').slice(1).join('\n'));
  const detail = new RegExp(`has ${POLICY.checks.length - 1} records`);
  t.throws(() => verifyBundle(engine, fewer, POLICY), { code: 'evidence-invalid', detail });
  t.throws(() => readEvidence(engine, fewer), { code: 'evidence-invalid' });

  const later = makeBundle(t);
  writeFileSync(join(later, 'evidence.jsonl'), lines(later).replace('11:59:01.000Z', '11:59:02.000Z'));
  t.throws(() => verifyBundle(engine, later, POLICY), {
    code: 'evidence-invalid',
    detail: /^the records have the root \S+, the statement says /,
  });
  t.throws(() => readEvidence(engine, later), { code: 'evidence-invalid' });

  const better = makeBundle(t);
  const { verdicts } = statementOf(better);
  resign(better, { verdicts: verdicts.map((each) => ({ ...each, verdict: 'met' })) });
  t.throws(() => verifyBundle(engine, better, POLICY), { code: 'evidence-invalid', detail: /makes SR 1.1 "not-met"/ });

  const cut = makeBundle(t);
  writeFileSync(join(cut, 'evidence.jsonl'), lines(cut).slice(0, -1));
  t.throws(() => verifyBundle(engine, cut, POLICY), { code: 'evidence-invalid', detail: /newline/ });

  const shorter = makeBundle(t);
  resign(shorter, { verdicts: [...verdicts, { item: 'SR 9.9', verdict: 'met' }] });
  t.throws(() => verifyBundle(engine, shorter, POLICY), { code: 'evidence-invalid' });

  const renamed = makeBundle(t);
  resign(renamed, { judgedMs: NOW + 365 * 24 * 3_600_000 });
  t.throws(() => verifyBundle(engine, renamed, POLICY), { code: 'evidence-invalid', detail: /"not-evaluated"/ });
});

t.test('another policy, and a folder without a bundle', async (t) => {
  const folder = makeBundle(t);
  const other = { ...POLICY, hash: '0'.repeat(64) };
  t.throws(() => verifyBundle(engine, folder, other), { code: 'evidence-invalid', detail: /policy/ });
  t.throws(() => verifyBundle(engine, t.testdir(), POLICY), { code: 'file-invalid' });
});

t.test('the evidence key is made once, and guarded', async (t) => {
  const path = join(t.testdir(), 'keys', 'evidence-key');
  const made = evidenceKey(engine, path);
  t.same(evidenceKey(engine, path).publicKeys, made.publicKeys);
  writeFileSync(path, 'short');
  t.throws(() => evidenceKey(engine, path), { code: 'file-invalid' });
});

t.test('no cell of the matrix is a formula, and commas and quotes stay inside', async (t) => {
  const verdict = {
    item: '=1+1',
    fr: 'FR1',
    level: 1,
    topic: 'a, "b"',
    verdict: 'met',
    because: 'x',
    checks: [],
  } as const;
  t.equal(matrixCsv([verdict]).split('\r\n')[1], `'=1+1,FR1,1,"a, ""b""",met,,x`);
});
