/** When the entry scripts call npm, and where they refuse to run. */
import t from 'tap';
import { difference, refuseUnsupportedHost } from '../../bin/install.mjs';

const lock = {
  '': { version: '0.1.0' },
  'node_modules/a': { version: '1.0.0', integrity: 'sha512-a' },
  'node_modules/b': { version: '2.0.0', integrity: 'sha512-b', dev: true },
  'node_modules/c': { version: '3.0.0', integrity: 'sha512-c', optional: true },
};

t.test('nothing is installed when all that is needed is there', async (t) => {
  const installed = { 'node_modules/a': lock['node_modules/a'] };
  t.equal(difference(lock, { ...lock, extra: { version: '1.0.0' } }, true), '');
  t.equal(difference(lock, installed, false), '', 'a program needs no development packages');
  t.equal(difference(lock, installed, true), 'node_modules/b 2.0.0 is missing', 'the tests do');
});

t.test('another version or other contents are a reason to install', async (t) => {
  const older = { ...lock, 'node_modules/a': { version: '0.9.0', integrity: 'sha512-a' } };
  t.equal(difference(lock, older, true), 'node_modules/a is 0.9.0, not the 1.0.0 of the lock file');
  const other = { ...lock, 'node_modules/c': { version: '3.0.0', integrity: 'sha512-x' } };
  t.match(difference(lock, other, true), /^node_modules\/c is not what the lock file pins/);
  t.equal(difference(lock, {}, true), 'node_modules/a 1.0.0 is missing');
});

t.test('hosts that cannot run it are told so', async (t) => {
  for (const arch of ['x64', 'arm64']) t.doesNotThrow(() => refuseUnsupportedHost('linux', arch, '20.0.0'));
  t.throws(() => refuseUnsupportedHost('darwin', 'arm64', '24.0.0'), { message: /this machine is darwin-arm64/ });
  t.throws(() => refuseUnsupportedHost('linux', 'arm', '24.0.0'), { message: /this machine is linux-arm/ });
  t.throws(() => refuseUnsupportedHost('linux', 'x64', '18.19.1'), { message: /needs Node 20 or newer/ });
  t.throws(() => refuseUnsupportedHost('win32', 'x64', '24.0.0'), { name: 'CannotRun' });
});
