/** Locks of Debian packages: what they hold, what is refused. */
import t from 'tap';
import { sourceLines } from '../../image-build/apt.ts';
import { ARCHITECTURES, formatLock, parseLock, readLock } from '../../image-build/lock.ts';
import { APART } from '../../image-build/root-packages.ts';

const HASH = 'ab'.repeat(32);
const PACKAGES = [
  { name: 'libc6', version: '2.41-12+deb13u5', arch: 'amd64', sha256: HASH },
  { name: 'base-files', version: '1:13.8~rc1', arch: 'all', sha256: HASH },
];

t.test('a lock is read as it was written, sorted', async (t) => {
  const text = formatLock(PACKAGES);
  t.same(parseLock(text, 'x'), PACKAGES.toReversed());
  t.equal(formatLock(PACKAGES.toReversed()), text, 'in any order the same');
});

t.test('a line that is none is named', async (t) => {
  const good = `a-one 1 all ${HASH}`;
  const bad = [
    'a-one 1 all',
    `A-one 1 all ${HASH}`,
    `a-one 1 mips ${HASH}`,
    `a-one 1 all ${HASH}0`,
    `a-one  1 all ${HASH}`,
    `a-one 1;id all ${HASH}`,
    `-o 1 all ${HASH}`,
  ];
  for (const line of bad)
    t.throws(() => parseLock(`# x\n${line}\n`, 'lock'), { code: 'file-invalid', detail: /lock:2/ });
  t.throws(() => parseLock(`${good}\n${good}\n`, 'lock'), {
    code: 'file-invalid',
    detail: /lock:2: a-one must not stand after a-one/,
  });
  t.throws(() => parseLock('# nothing\n', 'lock'), { code: 'file-invalid', detail: /names no package/ });
  t.throws(() => readLock('tools-mips'), { code: 'config-missing', detail: /npm run image:lock/ });
});

t.test('the locks of the project have what an image is made of', async (t) => {
  t.ok(readLock('tools-amd64').some(({ name }) => name === 'squashfs-tools'));
  for (const arch of ARCHITECTURES) {
    const names = readLock(`root-${arch}`);
    for (const pattern of APART[arch]) {
      t.equal(names.filter(({ name }) => pattern.test(name)).length, 1, `${arch}: ${pattern}`);
    }
    t.ok(
      names.every((each) => ['all', arch].includes(each.arch)),
      arch,
    );
    t.notOk(
      names.some(({ name }) => /^(bash|dash|apt|dpkg|openssh-.*|perl|python.*|sudo|login|dbus)$/.test(name)),
      `${arch}: not even unpacked`,
    );
  }
});

t.test('the host of a mirror is asked for Debian 13, and nothing else is taken for one', async (t) => {
  t.match(sourceLines(['http://a.example/debian', 'http://a.example/debian-security/']), [
    / http:\/\/a\.example\/debian trixie main non-free-firmware$/,
    / http:\/\/a\.example\/debian trixie-updates /,
    / http:\/\/a\.example\/debian-security\/ trixie-security /,
  ]);
  for (const bad of ['a.example', 'ftp://a.example/debian', 'http://a.example/x y', 'http://a\ndeb http://b']) {
    t.throws(() => sourceLines([bad]), { code: 'config-invalid' }, bad);
  }
  t.throws(() => sourceLines([]), { code: 'config-missing', detail: /--mirror/ });
});
