/** What keeps an image from being built is said in one sentence, and what was fetched half is not kept. */
import { chmodSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { requireSpace } from '../../image-build/build.ts';
import { cacheFolder, fetchPackages } from '../../image-build/packages.ts';
import { run } from '../../image-build/run.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const WANTED = [{ name: 'a-one', version: '1.2', arch: 'all', sha256: 'ab'.repeat(32) }];

/** Makes this process one of a machine whose apt-get is the shell script `script`, with a cache of its own. */
function machine(t: Test, script: string): void {
  const folder = t.testdir({ bin: { 'apt-get': `#!/bin/sh\n${script}\n` }, cache: {} });
  chmodSync(join(folder, 'bin', 'apt-get'), 0o755);
  const { PATH, XDG_CACHE_HOME } = process.env;
  process.env.PATH = `${join(folder, 'bin')}:${PATH}`;
  process.env.XDG_CACHE_HOME = join(folder, 'cache');
  t.teardown(() => {
    process.env.PATH = PATH;
    if (XDG_CACHE_HOME === undefined) delete process.env.XDG_CACHE_HOME;
    else process.env.XDG_CACHE_HOME = XDG_CACHE_HOME;
  });
}

t.test('a mirror without a locked version', { skip: !existsSync(KEYRING) && 'this is no Debian' }, async (t) => {
  machine(t, `case "$*" in *download*) echo "E: Version '1.2' for 'a-one' was not found" >&2; exit 100;; esac`);
  t.throws(() => fetchPackages(WANTED, 'amd64', 'http://127.0.0.1:1/debian'), {
    code: 'image-package-missing',
    detail: /no a-one 1\.2, .*npm run image:lock/,
  });
  t.same(readdirSync(cacheFolder()), []);
});

t.test(
  'a package with other bytes than the lock names',
  { skip: !existsSync(KEYRING) && 'this is no Debian' },
  async (t) => {
    machine(t, 'case "$*" in *download*) echo other > a-one_1.2_all.deb;; esac');
    t.throws(() => fetchPackages(WANTED, 'amd64', 'http://127.0.0.1:1/debian'), {
      code: 'hash-mismatch',
      detail: /a-one 1\.2 has SHA-256 [0-9a-f]{64}, the lock says abab/,
    });
    t.same(readdirSync(join(cacheFolder(), 'debs')), []);
  },
);

t.test('programs that are missing, fail, or find no room', async (t) => {
  t.throws(() => run(['no-such-program']), { code: 'tool-missing', detail: /apt-get install no-such-program/ });
  t.throws(() => run(['sh', '-c', 'echo why >&2; exit 3']), {
    code: 'image-build-failed',
    detail: /exit code 3\): why/,
  });
  t.throws(() => run(['sh', '-c', 'echo write: No space left on device; exit 1']), { code: 'image-no-space' });
  t.throws(() => run(['sh', '-c', 'kill -9 $$']), { code: 'image-build-failed', detail: /ended by SIGKILL/ });
  t.equal(run(['sh', '-c', 'echo "$TZ $LC_ALL"']), 'UTC C.UTF-8\n');
});

t.test('a disk with too little room is named with both numbers', async (t) => {
  const folder = t.testdir({});
  t.throws(() => requireSpace(folder, 1e9), {
    code: 'image-no-space',
    detail: /has \d+ MiB free, a build needs 1000000000/,
  });
  requireSpace(folder, 0);
});
