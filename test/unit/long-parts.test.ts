import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PARTS, runAll, tableOf } from '../runner/long-parts.mjs';

t.setTimeout(90_000); // each part is a process

const ROOT = join(import.meta.dirname, '..', '..');

t.setTimeout(120_000); // a process for each part

function long(...words: string[]) {
  return spawnSync(process.execPath, [join(ROOT, 'test/long.mjs'), ...words], { encoding: 'utf8' });
}

t.test('every part is a program that says how it is used', async (t) => {
  for (const { name, program } of PARTS) {
    t.ok(existsSync(join(ROOT, program)), program);
    const { status, stdout } = long(name, '--help');
    t.equal(status, 0, name);
    t.match(stdout, `test:long -- ${name}`);
  }
});

t.test('a part that fails is told, and the others run', async (t) => {
  const results = await runAll(PARTS, async ({ name }) => (name === 'kill' ? 1 : 0));
  t.same(
    results.map(({ name, ok }) => [name, ok]),
    PARTS.map(({ name }) => [name, name !== 'kill']),
  );
  t.match(tableOf(results), /^fuzz +passed +0 s\nkill +failed \(1\) +0 s\n/m);
});

t.test('wrong usage', async (t) => {
  for (const words of [['nothing'], ['--json', 'kill'], ['kill', '--kills', 'many'], ['slots', '--what']]) {
    const { status, stderr } = long(...words);
    t.equal(status, 2, words.join(' '));
    t.match(stderr, /usage: npm run test:long/);
  }
});
