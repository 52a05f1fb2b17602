/** `npm run bench`: the figures have their names and are measured; how large they are is not a matter for tests. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';

const BENCH = join(import.meta.dirname, '..', '..', 'bench', 'main.ts');

function bench(...args: string[]) {
  return spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8', timeout: 120_000 });
}

t.test('seal: milliseconds and ratios as one JSON object on the last line', async (t) => {
  const { status, stdout } = bench('seal', '--json');
  t.equal(status, 0);
  const figures = JSON.parse(stdout.trimEnd().split('\n').at(-1)!);
  for (const name of ['seal.ms', 'open.ms', 'bare.ms', 'seal.ratio', 'open.ratio']) {
    t.ok(figures[name] > 0, `${name}: ${figures[name]}`);
  }
});

t.test('an unknown part is a usage error that names the parts', async (t) => {
  const { status, stderr } = bench('nothing');
  t.equal(status, 2);
  t.match(stderr, /there is no part "nothing"; parts: seal/);
});
