/** One whole run of ghostpipe-evidence over real relays: nothing clean raises an alarm, no sabotage is missed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CHECKS } from '../../tools/evidence/checks/registry.ts';
import { evidence } from '../fixtures/evidence.ts';

t.setTimeout(580_000);

t.test('a run looks at everything, catches every sabotage, and says what is open', async (t) => {
  const folder = t.testdir();
  const bundle = join(folder, 'bundle');
  const words = ['run', '--profile', 'sl2', '--out', bundle, '--key', join(folder, 'key')];
  const { code, json, stderr } = await evidence(...words);
  t.equal(code, 1, stderr);
  t.match(json, { ok: false, profile: 'sl2' });
  t.equal(json.counts['not-evaluated'], 0, JSON.stringify(json.open));
  t.ok(json.counts.met + json.counts['not-applicable'] >= 25, JSON.stringify(json.counts));
  const lines = readFileSync(join(bundle, 'evidence.jsonl'), 'utf8').trim().split('\n');
  const records = lines.map((line) => JSON.parse(line));
  t.same(
    records.map(({ check, result }) => `${check} ${result}`),
    CHECKS.map(({ id, layer }) => `${id} ${layer === 'image' ? 'not-run' : 'pass'}`),
  );
  for (const { check, sabotage } of records) t.same(sabotage.caught, sabotage.tried, check);
  t.match(await evidence('verify', bundle), {
    code: 0,
    json: { ok: true, profile: 'sl2', anchored: false, stale: [] },
  });
});
