/** ghostpipe-evidence as an auditor calls it: bundles that hold or do not, and what happens when something is wrong. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { writeBundle } from '../../tools/evidence/bundle.ts';
import type { RunCheck } from '../../tools/evidence/check.ts';
import { Looking } from '../../tools/evidence/looking.ts';
import { Scene, type Written } from '../../tools/evidence/scene/scene.ts';
import { runTool, withTemplate } from '../../tools/evidence/scene/template.ts';
import { selfTestCommand } from '../../tools/evidence/self-test-command.ts';
import { readRelayConfig } from '../../tools/evidence/subject.ts';
import { judge } from '../../tools/evidence/verdict.ts';
import { captured } from '../fixtures/command.ts';
import { evidence, NOW, POLICY, PROJECT, passingRecords, SUBJECT } from '../fixtures/evidence.ts';

t.setTimeout(300_000);

const FOLDER = t.testdir();
const path = (...names: string[]): string => join(FOLDER, ...names);
const KEY = engine.signingKey(new Uint8Array(32).fill(7));

t.before(() => {
  const records = passingRecords();
  const verdicts = judge(POLICY, records, { subject: SUBJECT, nowMs: NOW });
  const bundle = { profile: 'sl2', subject: SUBJECT, records, verdicts, judgedMs: NOW };
  writeBundle(engine, path('bundle'), bundle, POLICY, KEY);
});

t.test('a bundle is verified off line, and refused with one changed byte', async (t) => {
  const { code, json } = await evidence('verify', path('bundle'));
  t.equal(code, 0);
  t.match(json, { ok: true, profile: 'sl2', anchored: false });
  t.equal((await evidence('verify', path('bundle'), '--key-hash', json.keyHash)).code, 0);
  const other = await evidence('verify', path('bundle'), '--key-hash', `sha256/${'A'.repeat(43)}`);
  t.match(other, { code: 1, json: { code: 'evidence-invalid' } });
  const bytes = readFileSync(path('bundle', 'evidence.jsonl'));
  bytes[1000]! ^= 1;
  const changed = t.testdir({
    'evidence.jsonl': bytes,
    'bundle.json': readFileSync(path('bundle', 'bundle.json')),
    'matrix.csv': readFileSync(path('bundle', 'matrix.csv')),
  });
  t.match(await evidence('verify', changed), { code: 1, json: { ok: false, code: 'evidence-invalid' } });
  const words = ['run', '--profile', 'sl2', '--evidence', changed, '--out', path('from-changed')];
  t.match(await evidence(...words), { code: 3, json: { code: 'evidence-invalid' } });
  t.match(await runTool(['evidence', 'verify', path('bundle')]), { code: 0, stdout: /which nobody has vouched for/ });
});

t.test('evidence of other software counts for nothing', async (t) => {
  const words = ['run', '--profile', 'sl3', '--evidence', path('bundle'), '--key', path('key')];
  const { code, json } = await evidence(...words, '--out', path('foreign'));
  t.equal(code, 1);
  t.match(json.counts, { met: 0, 'not-applicable': 0, partial: 0 });
  t.match(
    json.open.find(({ item }: { item: string }) => item === 'SR 1.10'),
    { verdict: 'not-evaluated', because: /another softwareDigest/ },
  );
  const text = await runTool(['evidence', ...words, '--out', path('text')]);
  t.match(text, { code: 1, stdout: /^\d+ of 90 items of sl3 are open\n/ });
});

t.test('a relay that goes away, and a sabotage that cannot be tried, are no result', async (t) => {
  const gone: RunCheck = {
    id: 'gone',
    layer: 'run',
    async look(scene, see) {
      const { pid } = await scene.relay();
      process.kill(pid, 'SIGKILL');
      see('answer of a dead relay', (await scene.ask('management', { path: '/health' })).status, 200);
    },
    sabotages: { missing: { mutations: [{ file: 'relay/main.ts', find: 'no such text', replace: '' }] } },
  };
  const nothing: RunCheck = { id: 'nothing', layer: 'run', look: async () => {}, sabotages: {} };
  const outcomes = await withTemplate((template) =>
    new Looking({ engine, project: PROJECT, template, now: Date.now, scenes: 2 }).all([gone, nothing]),
  );
  t.match(outcomes[0]!.clean, { result: 'error', detail: /relay-unreachable/, observed: [] });
  t.match(outcomes[0]!.sabotaged.get('missing'), { result: 'error', detail: /does not hold what is to be sabotaged/ });
  t.match(outcomes[1]!.clean, { result: 'error', detail: 'nothing was observed' });
});

t.test('a twin with an audit stick has one of its own: that of the site is not touched', async (t) => {
  const stick = t.testdir();
  await withTemplate(async (template) => {
    const { written } = readRelayConfig(join(template, 'site', 'relay', 'relay.yaml'));
    const required = { ...(written as Written), audit: { mode: 'required', stick: { path: stick } } };
    const scene = new Scene({ template, project: PROJECT, engine, written: required });
    try {
      t.ok((await scene.relay()).pid > 0, 'it runs in the mode required');
      const { path: own } = (scene.written as unknown as typeof required).audit.stick;
      t.ok(own.startsWith(scene.folder), own);
      t.same(readdirSync(stick), []);
      t.ok(readdirSync(own).length > 0, 'its log is on its own');
    } finally {
      await scene.close();
    }
  });
});

t.test('the self-test counts', async (t) => {
  const { code, json } = await evidence('self-test', '--check', 'lock-pins', '--check', 'seed-guarded');
  t.equal(code, 0);
  t.match(json, { ok: true, checks: 2, sabotages: 3, caught: 3, notTried: 0, missed: [], alarms: [] });
  const { stdout } = await runTool(['evidence', 'self-test', '--check', 'dependency-page']);
  t.equal(stdout, '1 checks, 2 sabotages, 2 caught');
  const words = ['--check', 'lock-pins', '--scenes', '1'];
  t.match(await captured(t, () => selfTestCommand(words)), { code: 0, out: /^1 checks, 2 sabotages, 2 caught/ });
  t.match(await captured(t, () => selfTestCommand([...words, '--json'])), { code: 0, out: /"notTried":0/ });
  t.match(await captured(t, () => selfTestCommand(['--check', 'nothing'])), { code: 2 });
});

t.test('lint says that no rule is broken', async (t) => {
  t.match(await evidence('lint'), { code: 0, json: { ok: true, findings: [] } });
  const { stdout } = await runTool(['evidence', 'lint']);
  t.match(stdout, /^100 items, 100 claims, \d+ checks: 0 findings$/);
  t.match(await evidence('bind', 'SR 1.2'), { code: 0, json: { ok: true, changed: 0 } });
});

t.test('bad input is a clear error with its exit code', async (t) => {
  const out = ['--out', path('never')];
  writeFileSync(path('broken.yaml'), 'listeners: 7\n');
  const run = ['run', '--profile', 'sl2'];
  for (const [words, code, problem] of [
    [[], 2, 'usage'],
    [['nothing'], 2, 'usage'],
    [['run', ...out], 2, 'usage'],
    [['run', '--profile', 'sl9', ...out], 2, 'usage'],
    [[...run, '--out', path('bundle')], 3, 'already-exists'],
    [[...run, '--config', path('missing.yaml'), ...out], 3, 'config-missing'],
    [[...run, '--config', path('broken.yaml'), ...out], 3, 'config-invalid'],
    [['verify'], 2, 'usage'],
    [['verify', path('missing')], 3, 'file-invalid'],
    [['verify', path('bundle'), '--key-hash', 'x'], 2, 'usage'],
    [['self-test', '--check', 'nothing'], 2, 'usage'],
    [['bind'], 2, 'usage'],
    [['bind', 'SR 9.9'], 2, 'usage'],
  ] as const) {
    t.match(await evidence(...words), { code, json: { code: problem } }, words.join(' '));
  }
});
