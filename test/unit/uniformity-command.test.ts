/** `npm run uniformity`: what it says where it cannot run. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const MAIN = join(import.meta.dirname, '..', 'uniformity', 'main.ts');

function uniformity(words: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  return spawnSync(process.execPath, [MAIN, ...words], { encoding: 'utf8', env });
}

t.test('wrong usage', async (t) => {
  const full = t.testdir();
  writeFileSync(join(full, 'a'), '');
  for (const words of [['--slots', '199'], ['--slots', 'many'], ['--what'], ['word'], ['--out', full]]) {
    const { status, stderr, stdout } = uniformity(words);
    t.equal(status, 2, words.join(' '));
    t.match(stderr, /usage: npm run uniformity/);
    t.equal(stdout, '');
  }
});

t.test('a machine without the packages is told which', async (t) => {
  const { status, stderr } = uniformity(['--json'], { ...process.env, PATH: t.testdir() });
  t.equal(status, 3);
  t.match(stderr, /apt-get install -y --no-install-recommends .*tshark/);
});
