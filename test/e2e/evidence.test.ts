/** ghostpipe-evidence as an auditor uses it: one whole run over real relays, and what happens when something is wrong. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { RunCheck } from '../../tools/evidence/check.ts';
import { CHECKS } from '../../tools/evidence/checks/registry.ts';
import { Looking } from '../../tools/evidence/looking.ts';
import { runTool, withTemplate } from '../../tools/evidence/scene/template.ts';
import { PROJECT } from '../fixtures/evidence.ts';

t.setTimeout(400_000);

const FOLDER = t.testdir();
const path = (...names: string[]): string => join(FOLDER, ...names);

/** Runs `ghostpipe evidence ...` with --json; gives its exit code and the object that it printed. */
async function evidence(...words: string[]) {
  const { code, stdout, stderr } = await runTool(['evidence', ...words, '--json']);
  return { code, stderr, json: JSON.parse(stdout.split('\n').at(-1) || '{}') };
}

t.test('a run looks at everything, catches every sabotage, and says what is open', async (t) => {
  const { code, json, stderr } = await evidence(
    'run',
    '--profile',
    'sl2',
    '--out',
    path('bundle'),
    '--key',
    path('key'),
  );
  t.equal(code, 1, stderr);
  t.match(json, { ok: false, profile: 'sl2' });
  t.equal(json.counts['not-evaluated'], 0, JSON.stringify(json.open));
  t.ok(json.open.every(({ verdict }: { verdict: string }) => verdict === 'not-met'));
  t.ok(json.counts.met + json.counts['not-applicable'] >= 25, JSON.stringify(json.counts));
  const records = readFileSync(path('bundle', 'evidence.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.same(
    records.map(({ check, result }) => `${check} ${result}`),
    CHECKS.map(({ id }) => `${id} pass`),
  );
  for (const { check, sabotage } of records) t.same(sabotage.caught, sabotage.tried, check);
  t.match(readFileSync(path('bundle', 'matrix.csv'), 'utf8'), /^item,fr,level,topic,verdict,checks,because\r\n/);
});

t.test('the bundle is verified off line, and refused with one changed byte', async (t) => {
  const { code, json } = await evidence('verify', path('bundle'));
  t.equal(code, 0);
  t.match(json, { ok: true, profile: 'sl2', anchored: false, stale: [] });
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
  t.match(await evidence('run', '--profile', 'sl2', '--evidence', changed, '--out', path('from-changed')), { code: 3 });
});

t.test('evidence of another configuration counts for nothing', async (t) => {
  const config = path('other.yaml');
  const listeners = ['ot', 'it', 'management'].map((zone) => ({
    zone,
    address: '127.0.0.1',
    port: 0,
    tls: 'pq',
    calls: ['register'],
  }));
  writeFileSync(config, JSON.stringify({ listeners }));
  const words = ['run', '--profile', 'sl3', '--evidence', path('bundle'), '--config', config, '--key', path('key')];
  const { code, json } = await evidence(...words, '--out', path('foreign'));
  t.equal(code, 1);
  t.match(json.counts, { met: 0, 'not-applicable': 0, partial: 0 });
  t.match(json.open.find(({ item }: { item: string }) => item === 'SR 1.10').because, /another configHash/);
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

t.test('the self-test counts', async (t) => {
  const { code, json } = await evidence('self-test', '--check', 'lock-pins', '--check', 'seed-guarded');
  t.equal(code, 0);
  t.match(json, { ok: true, checks: 2, sabotages: 3, caught: 3, notTried: 0, missed: [], alarms: [] });
  const { stdout } = await runTool(['evidence', 'self-test', '--check', 'dependency-page']);
  t.equal(stdout, '1 checks, 2 sabotages, 2 caught');
});

t.test('lint says that no rule is broken, and the summary is for people', async (t) => {
  t.match(await evidence('lint'), { code: 0, json: { ok: true, findings: [] } });
  const { stdout } = await runTool(['evidence', 'lint']);
  t.match(stdout, /^100 items, 100 claims, \d+ checks: 0 findings$/);
  const words = [
    'evidence',
    'run',
    '--profile',
    'sl2',
    '--evidence',
    path('bundle'),
    '--key',
    path('key'),
    '--out',
    path('text'),
  ];
  t.match(await runTool(words), { code: 1, stdout: /^\d+ of 60 items of sl2 are open\n/ });
  t.match(await runTool(['evidence', 'verify', path('bundle')]), { code: 0, stdout: /which nobody has vouched for/ });
});

t.test('bad input is a clear error with its exit code', async (t) => {
  const out = ['--out', path('never')];
  for (const [words, code, problem] of [
    [[], 2, 'usage'],
    [['nothing'], 2, 'usage'],
    [['run', ...out], 2, 'usage'],
    [['run', '--profile', 'sl9', ...out], 2, 'usage'],
    [['run', '--profile', 'sl2', '--out', path('bundle')], 3, 'already-exists'],
    [['run', '--profile', 'sl2', '--config', path('missing.yaml'), ...out], 3, 'config-missing'],
    [['run', '--profile', 'sl2', '--evidence', path('missing'), ...out], 3, 'file-invalid'],
    [['verify'], 2, 'usage'],
    [['verify', path('missing')], 3, 'file-invalid'],
    [['verify', path('bundle'), '--key-hash', 'x'], 2, 'usage'],
    [['self-test', '--check', 'nothing'], 2, 'usage'],
    [['bind'], 2, 'usage'],
    [['bind', 'SR 9.9'], 2, 'usage'],
  ] as const) {
    t.match(await evidence(...words), { code, json: { code: problem } }, words.join(' '));
  }
  writeFileSync(path('broken.yaml'), 'listeners: 7\n');
  const broken = await evidence('run', '--profile', 'sl2', '--config', path('broken.yaml'), ...out);
  t.match(broken, { code: 3, json: { code: 'config-invalid', detail: /broken\.yaml: listeners must be a list/ } });
});
