import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CannotMeasure } from '../../bench/figures.ts';
import { unpackTrixie } from '../../bench/trixie.ts';

/** A folder for the cache, on a machine whose apt is the shell script `script`. */
function machine(t: Test, script: string): string {
  const folder = t.testdir({ bin: { 'apt-get': `#!/bin/sh\n${script}\n` }, cache: {} });
  chmodSync(join(folder, 'bin', 'apt-get'), 0o755);
  const { PATH } = process.env;
  process.env.PATH = `${join(folder, 'bin')}:${PATH}`;
  t.teardown(() => {
    process.env.PATH = PATH;
  });
  return join(folder, 'cache');
}

t.test('what cannot be fetched is said, and nothing half done is left', async (t) => {
  const machines = {
    'knows no mirror of Debian|is no Debian': 'exit 0',
    'NO_PUBKEY|is no Debian':
      'case "$*" in *indextargets*) echo http://127.0.0.1:1/debian/;; *) echo "E: NO_PUBKEY" >&2; exit 100;; esac',
  };
  for (const [words, script] of Object.entries(machines)) {
    const cache = machine(t, script);
    const unpack = () => unpackTrixie(join(cache, 'trixie'), ['nginx']);
    t.throws(unpack, { constructor: CannotMeasure, message: new RegExp(words) });
    t.same(readdirSync(cache), []);
  }
});

t.test('a folder without a loader is not run', async (t) => {
  const folder = t.testdir({ usr: {} });
  t.throws(() => unpackTrixie(folder, []), { message: /has no loader/ });
});
