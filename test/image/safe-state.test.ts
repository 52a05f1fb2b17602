/** A damaged configuration on the card gives the safe state: no relay, and the reason in words on the console. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { CONSOLE } from '../../appliance/layout.ts';
import { findAccelerator } from '../../image-build/qemu/accelerator.ts';
import { flipBit, hashOf, partitionsOf } from '../../image-build/qemu/drive.ts';
import { writeObservations } from '../../image-build/qemu/observations.ts';
import { CARD_FILES } from '../../protocol/site-config.ts';
import { scanTcp } from '../fixtures/port-scan.ts';
import { AppliancePlant, needPlant, PLACES, provision } from './support/appliance-plant.ts';
import { PROJECT, testImage } from './support/test-image.ts';

t.setTimeout(600_000);

const LIMIT_MS = 300_000;

/** Where in the drive the text stands first, on its card. */
function placeOnCard(drive: string, text: string): number {
  const { start } = partitionsOf(drive).at(-1)!;
  return start + readFileSync(drive).subarray(start).indexOf(text);
}

t.test('one flipped bit of the configuration gives the safe state', async (t) => {
  needPlant();
  const startedMs = Date.now();
  const directory = t.testdir();
  const { path, version } = await testImage();
  const { name: accelerator, why } = await findAccelerator(path);
  t.comment(why);
  const { drive, configHash } = provision(path, directory);
  flipBit(drive, placeOnCard(drive, '"minRosterVersion":') + 1);
  const before = await hashOf(drive);
  const plant = new AppliancePlant(t, directory);
  const guest = plant.start(accelerator, drive, LIMIT_MS);

  const { text } = await guest.console.line(new RegExp(`${CONSOLE.safe}|${CONSOLE.ready}$`), LIMIT_MS);
  const reason = text.slice(text.indexOf(CONSOLE.safe) + CONSOLE.safe.length);
  t.ok(text.includes(CONSOLE.safe), 'it is not ready');
  t.ok(reason.includes(CARD_FILES.config.name), `the file is named: ${reason}`);
  const { open } = await scanTcp(plant.hosts.management, [PLACES.management.relay], {
    ports: '3000-3001',
    retries: 1,
    connect: true,
  });
  t.same(open, [], 'nothing answers');
  await guest.end();
  const after = await hashOf(drive);
  t.equal(after, before, 'the disk is as it was');

  const named = reason.includes(CARD_FILES.config.name) ? 'yes' : 'no';
  const subject = {
    version,
    softwareDigest: await hashOf(path),
    configHash,
    board: 'vm',
    environment: 'qemu',
  } as const;
  const observed = [
    { name: 'reason names the file', value: named, rule: 'is', limit: 'yes', unit: '' },
    { name: 'ports that answer', value: open.length, rule: 'is', limit: 0, unit: '' },
    { name: 'disk after the boot', value: after, rule: 'is', limit: before, unit: 'SHA-256' },
  ] as const;
  writeObservations(PROJECT, 'image-safe-state', [{ ...subject, startedMs, endedMs: Date.now(), observed }]);
});
