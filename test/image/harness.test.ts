/** The harness of the boots, on a machine whose disk is empty: its firmware speaks, and there is nothing to start. */
import { spawnSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findAccelerator } from '../../image-build/qemu/accelerator.ts';
import { copyDrive, flipBit, hashOf, partitionsOf } from '../../image-build/qemu/drive.ts';
import { Guest } from '../../image-build/qemu/guest.ts';
import { usedMebibytes } from '../../image-build/qemu/guest-memory.ts';

const LIMIT_MS = 60_000;
/** What the firmware prints when it found nothing to start on the disk. */
const NOTHING_TO_START = /failed to load Boot0001 .*Not Found/;
const CARD = { mac: '52:54:00:67:70:01', forwards: [] } as const;

function blankDrive(path: string): string {
  writeFileSync(path, '');
  truncateSync(path, 1 << 20);
  return path;
}

function start(drive: string, limitMs = LIMIT_MS): Guest {
  const disk = { path: drive, writable: true };
  return new Guest({ accelerator: 'tcg', drive: disk, cards: [CARD], memoryMiB: 256 }, { limitMs });
}

t.test('a guest speaks, answers, and ends', async (t) => {
  const drive = blankDrive(join(t.testdir(), 'drive.img'));
  const before = await hashOf(drive);
  const guest = start(drive);
  t.teardown(() => guest.end());

  const first = await guest.console.line(NOTHING_TO_START, LIMIT_MS);
  t.ok(first.atMs > guest.startedMs, 'each line has its moment');
  t.equal(await guest.console.line(NOTHING_TO_START, LIMIT_MS), first, 'a line that came before is found');
  t.notMatch(guest.console.lines.map(({ text }) => text).join(''), /\p{Cc}/u, 'no sequences of a terminal');
  await t.rejects(guest.console.line(/ghostpipe: ready/, 10), {
    message: /without \/ghostpipe: ready\/ on its console; the last lines were:\n.*Boot0001/s,
  });
  t.match(await guest.qmp.execute('query-status'), { running: true });
  await t.rejects(guest.qmp.execute('eject', { id: 'nothing' }), { message: /QEMU refused eject: .*nothing/ });

  const waiting = guest.console.line(/ghostpipe: ready/, LIMIT_MS);
  const rejected = t.rejects(waiting, { message: /^the guest ended without/ }, 'who waits is told at once');
  await guest.end();
  await rejected;
  t.ok(guest.qmp.events.includes('SHUTDOWN'), 'it was asked to leave');
  t.equal(await guest.ended, '', 'and had nothing to complain about');
  t.equal(await hashOf(drive), before, 'the drive is as it was');
  await t.rejects(guest.qmp.execute('query-status'), { message: /QEMU ended before query-status/ });
});

t.test('power is cut, by hand or when the time is over', async (t) => {
  const drive = blankDrive(join(t.testdir(), 'drive.img'));
  for (const limitMs of [LIMIT_MS, 1500]) {
    const guest = start(drive, limitMs);
    const ends = guest.console.line(/ghostpipe: ready/, LIMIT_MS).catch((thrown: Error) => thrown.message);
    await guest.qmp.execute('query-status');
    if (limitMs === LIMIT_MS) guest.cutPower();
    t.match(await ends, /^the guest ended/);
    await guest.ended;
    t.notOk(guest.qmp.events.includes('SHUTDOWN'), 'it was not asked');
  }
});

t.test('a machine that QEMU does not start says why', async (t) => {
  const guest = start(join(t.testdir(), 'missing.img'));
  await t.rejects(guest.console.line(/./, LIMIT_MS), { message: /the guest ended/ });
  t.match(await guest.ended, /missing\.img.*No such file/);
});

t.test('without QEMU the package is named', async (t) => {
  const path = process.env.PATH;
  t.teardown(() => {
    process.env.PATH = path;
  });
  process.env.PATH = t.testdir();
  t.throws(() => start('none'), { code: 'tool-missing', detail: /apt-get install .*qemu-system-x86/ });
});

t.test('emulation where KVM is not, or runs nothing', async (t) => {
  const drive = blankDrive(join(t.testdir({ kvm: '' }), 'drive.img'));
  const none = await findAccelerator(drive, join(t.testdirName, 'nothing'));
  t.match(none, { name: 'tcg', why: /nothing cannot be used \(ENOENT\): the processor is emulated/ });
  const useless = await findAccelerator(drive, join(t.testdirName, 'kvm'), 1000);
  t.match(useless, { name: 'tcg', why: /^KVM does not run the kernel of the image/ });
});

t.test('a drive: partitions, copy, one flipped bit', async (t) => {
  const drive = blankDrive(join(t.testdir(), 'drive.img'));
  t.throws(() => partitionsOf(drive), { code: 'file-invalid', detail: /has no GPT/ });
  const copy = join(t.testdirName, 'copy.img');
  copyDrive(drive, copy);
  t.equal(await hashOf(copy), await hashOf(drive));
  flipBit(copy, 4711);
  const changed = readFileSync(copy);
  t.equal(changed[4711], 1);
  t.equal(changed.filter((byte) => byte !== 0).length, 1, 'one byte only');
  flipBit(copy, 4711);
  t.equal(await hashOf(copy), await hashOf(drive), 'and back');
  t.throws(() => flipBit(copy, 1 << 20), { code: 'file-invalid' });
  t.throws(() => copyDrive(join(t.testdirName, 'none'), copy), {
    code: 'file-invalid',
    detail: /none cannot be copied/,
  });
});

t.test('memory in use is what is not empty', async (t) => {
  const file = blankDrive(join(t.testdir(), 'memory'));
  truncateSync(file, 8 << 20);
  t.equal(usedMebibytes(file), 0);
  for (let page = 0; page < 512; page++) flipBit(file, page * 4096 + 17);
  t.equal(usedMebibytes(file), 2, '512 pages');
});

t.test('image:boot says what it cannot boot', async (t) => {
  const boot = (...words: readonly string[]) => {
    const program = join(import.meta.dirname, '..', '..', 'image-build', 'qemu', 'boot-command.ts');
    const { status, stderr } = spawnSync(process.execPath, [program, ...words], { encoding: 'utf8' });
    return { status, stderr };
  };
  t.match(boot('--board', 'pi4'), { status: 2, stderr: /"pi4", only vm can be booted here/ });
  t.match(boot('--board', 'vm', '--image', 'none.img'), {
    status: 3,
    stderr: /none\.img does not exist: npm run image/,
  });
});
