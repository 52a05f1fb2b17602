/** `npm run image` and `npm run image:lock`: their words and exit codes. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const FOLDER = join(import.meta.dirname, '..', '..', 'image-build');

function command(file: string, ...words: string[]) {
  return spawnSync(process.execPath, [join(FOLDER, file), ...words], { encoding: 'utf8', timeout: 60_000 });
}

t.test('help and wrong words', async (t) => {
  const { status, stdout } = command('main.ts', '--help');
  t.equal(status, 0);
  t.match(stdout, /--board BOARD[\s\S]*exit codes: 0 done, 1 failed, 2 wrong usage, 3 could not run/);
  t.match(command('make-lock.ts', '--help'), { status: 0, stdout: /takes the newest Debian 13 packages/ });
  const wrong = {
    '--board is missing': [],
    'it must be one of vm, arm64, pi4, pi3': ['--board', 'pi5'],
    'epoch must be': ['--board', 'vm', '--epoch', 'now'],
  };
  for (const [words, argv] of Object.entries(wrong)) {
    const { status, stderr } = command('main.ts', ...argv);
    t.equal(status, 2, words);
    t.match(stderr, words);
  }
});

t.test('a build that cannot begin leaves nothing that looks like an image', async (t) => {
  const out = t.testdir({});
  const words = ['--board', 'vm', '--epoch', '1', '--out', out, '--mirror', 'nowhere', '--json'];
  const { status, stdout } = spawnSync(process.execPath, [join(FOLDER, 'main.ts'), ...words], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, XDG_CACHE_HOME: join(out, 'cache') },
  });
  t.equal(status, 3);
  t.match(JSON.parse(stdout), {
    ok: false,
    code: 'config-invalid',
    detail: /"nowhere" is not the address of a mirror/,
  });
  t.same(
    readdirSync(out).filter((name) => !/^cache$|\.partial$/.test(name)),
    [],
  );
});
