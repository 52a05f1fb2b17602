/**
 * The image boots with a site on its card: it gets ready, a reading goes through it, each zone reaches what the plan
 * gives it and nothing else, and the disk is afterwards as it was before.
 */
import t from 'tap';
import { CONSOLE } from '../../appliance/layout.ts';
import { findAccelerator } from '../../image-build/qemu/accelerator.ts';
import { hashOf } from '../../image-build/qemu/drive.ts';
import { type Observation, writeObservations } from '../../image-build/qemu/observations.ts';
import { ZONES, type Zone } from '../../protocol/shapes.ts';
import { until } from '../fixtures/clients.ts';
import { type Scan, scanTcp, scanUdp } from '../fixtures/port-scan.ts';
import { AppliancePlant, needPlant, PLACES, provision } from './support/appliance-plant.ts';
import { PROJECT, testImage } from './support/test-image.ts';

t.setTimeout(600_000);

const LIMIT_MS = 420_000;
const READY_MS = 240_000;
const READING = 'temperature 21.5';
/** Ports of the plan: data or operators at 3000, and monitoring beside the management listener. */
const PLANNED: Readonly<Record<Zone, readonly number[]>> = { ot: [3000], it: [3000], management: [3000, 3001] };

/** Everything of the relay that answers in a zone over TCP: at its address there, any port; and at those of other zones. */
async function reachableFrom({ hosts }: AppliancePlant, zone: Zone): Promise<Scan[]> {
  const scans = [await scanTcp(hosts[zone], [PLACES[zone].relay], { ports: '-', retries: 1, perSecond: 5000 })];
  for (const other of ZONES.filter((each) => each !== zone)) {
    const options = { ports: '22,80,443,3000-3003', retries: 1, connect: true };
    scans.push(await scanTcp(hosts[zone], [PLACES[other].relay], options));
  }
  return scans;
}

t.test('the appliance does its work and keeps nothing', async (t) => {
  needPlant();
  const startedMs = Date.now();
  const directory = t.testdir();
  const { path, version } = await testImage();
  const { name: accelerator, why } = await findAccelerator(path);
  t.comment(why);
  const { drive, configHash } = provision(path, directory);
  const before = await hashOf(drive);
  const observed: Observation[] = [];
  const plant = new AppliancePlant(t, directory);
  const guest = plant.start(accelerator, drive, LIMIT_MS);

  await guest.console.line(new RegExp(`${CONSOLE.ready}$`), READY_MS);
  observed.push({ name: 'ready', value: 'yes', rule: 'is', limit: 'yes', unit: '' });

  await t.test('a reading goes through it', async (t) => {
    const receiver = plant.receiver();
    const sender = plant.sender();
    sender.child.stdin!.write(`${READING}\n`);
    await until(
      'the reading',
      () => receiver.stdout().includes(READING),
      () => sender.stderr() + receiver.stderr(),
    );
    t.pass('it came out');
    observed.push({ name: 'reading delivered', value: 'yes', rule: 'is', limit: 'yes', unit: '' });
  });

  await t.test('each zone reaches what the plan gives it', async (t) => {
    for (const zone of ZONES) {
      const planned = PLANNED[zone].map((port) => `${PLACES[zone].relay}:${port}`);
      const open = (await reachableFrom(plant, zone)).flatMap((scan) => scan.open);
      t.same(open, planned, `from ${zone}, every port of TCP`);
      const udp = await scanUdp(plant.hosts[zone], [PLACES[zone].relay]);
      t.same(udp, { open: [], refused: false }, `from ${zone}, nothing answers over UDP`);
      const value = [...open, ...udp.open].join(' ');
      observed.push({ name: `open from ${zone}`, value, rule: 'is', limit: planned.join(' '), unit: '' });
    }
  });

  await guest.end();
  const after = await hashOf(drive);
  t.equal(after, before, 'the disk is as it was, though it could be written');
  observed.push({ name: 'disk after the boot', value: after, rule: 'is', limit: before, unit: 'SHA-256' });
  const subject = { version, softwareDigest: await hashOf(path), configHash, board: 'vm' };
  const look = { ...subject, environment: 'qemu', startedMs, endedMs: Date.now(), observed } as const;
  writeObservations(PROJECT, 'image-boot', [look]);
});
