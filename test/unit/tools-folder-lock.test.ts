/** One process a folder, and no other user has a say in it. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lockFolder } from '../../tools/lib/folder-lock.ts';

const MODULE = join(import.meta.dirname, '..', '..', 'tools', 'lib', 'folder-lock.ts');
const LOCK = `import { lockFolder } from ${JSON.stringify(MODULE)}; lockFolder(process.argv[1]);`;

t.test('another process holds a folder until it is killed', async (t) => {
  const folder = join(t.testdir(), 'made');
  const holder = spawn(process.execPath, ['-e', `${LOCK} console.log('held'); setInterval(() => {}, 1000)`, folder]);
  await once(holder.stdout, 'data');
  t.throws(() => lockFolder(folder), { code: 'spool-in-use', detail: /another process uses .*made/ });
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const unlock = lockFolder(folder);
  t.throws(() => execFileSync(process.execPath, ['-e', LOCK, folder], { stdio: 'pipe' }), /spool-in-use/);
  unlock();
  unlock(); // harmless
  execFileSync(process.execPath, ['-e', LOCK, folder]);
});

t.test('the lock is a file that nobody else can open, not a name that anybody can take', async (t) => {
  const folder = join(t.testdir({ file: '' }), 'made');
  const unlock = lockFolder(folder);
  t.equal(statSync(join(folder, 'lock')).mode & 0o777, 0o600);
  t.notMatch(
    readFileSync('/proc/net/unix', 'utf8'),
    `ghostpipe-folder-${statSync(folder).dev}-${statSync(folder).ino}`,
  );
  unlock();
  t.throws(() => lockFolder(join(folder, '..', 'file')), { code: 'state-failed', detail: /EEXIST|ENOTDIR/ });
});
