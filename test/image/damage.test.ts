/** A damaged root does not start, and the console says so. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import t from 'tap';
import { findAccelerator } from '../../image-build/qemu/accelerator.ts';
import { copyDrive, flipBit, hashOf, partitionsOf } from '../../image-build/qemu/drive.ts';
import { Guest } from '../../image-build/qemu/guest.ts';
import { writeObservations } from '../../image-build/qemu/observations.ts';
import { PROJECT, testImage } from './support/test-image.ts';

t.setTimeout(400_000);

const LIMIT_MS = 240_000;
const NO_CONFIG = createHash('sha256').digest('hex');
/** Somewhere in the first file of the root: the kernel reads it to mount. */
const IN_THE_ROOT = 40;
const SAYS_WHY = /dm-verity device corrupted|does not have the hash|cannot be read/;

t.test('one flipped bit of the root refuses to start, and says so', async (t) => {
  const startedMs = Date.now();
  const { path, version } = await testImage();
  const drive = join(t.testdir(), 'drive.img');
  copyDrive(path, drive);
  const [, root] = partitionsOf(drive);
  flipBit(drive, root!.start + IN_THE_ROOT);
  const before = await hashOf(drive);
  const { name: accelerator, why } = await findAccelerator(path);
  t.comment(why);
  const disk = { path: drive, writable: true };
  const guest = new Guest({ accelerator, drive: disk, cards: [], memoryMiB: 1024 }, { limitMs: LIMIT_MS });
  t.teardown(() => guest.end());
  const { text } = await guest.console.line(/Kernel panic|will not start/, LIMIT_MS);
  t.match(text, SAYS_WHY, 'it says why');
  await guest.ended;
  t.ok(guest.qmp.events.includes('SHUTDOWN'), 'it restarts by itself');
  const started = guest.console.lines.filter(({ text }) => text.startsWith('Welcome to'));
  t.same(started, [], 'nothing of the root was started');
  const after = await hashOf(drive);
  t.equal(after, before, 'the drive is as it was, though it could be written');
  const subject = { version, softwareDigest: await hashOf(path), configHash: NO_CONFIG, board: 'vm' };
  const observed = [
    { name: 'reason is said', value: SAYS_WHY.test(text) ? 'yes' : 'no', rule: 'is', limit: 'yes', unit: '' },
    { name: 'systems started from it', value: started.length, rule: 'is', limit: 0, unit: '' },
    { name: 'drive after the boot', value: after, rule: 'is', limit: before, unit: 'SHA-256' },
  ] as const;
  writeObservations(PROJECT, 'image-damage', [
    { ...subject, environment: 'qemu', startedMs, endedMs: Date.now(), observed },
  ]);
});
