/** What stands in the root of the image, looked at from outside: how exposed its services are, and what lynis says. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { hashOf, partitionsOf } from '../../image-build/qemu/drive.ts';
import { type Observation, writeObservations } from '../../image-build/qemu/observations.ts';
import { exposuresOf, readExposurePolicy, unexplainedExposures } from './support/exposure.ts';
import { lynisFindings, readLynisPolicy, unexplained } from './support/lynis.ts';
import { imageTools, PROJECT, testImage, unpackRoot } from './support/test-image.ts';

t.setTimeout(600_000);

const RELAY = 'ghostpipe-relay.service';
const NO_CONFIG = createHash('sha256').digest('hex');

const startedMs = Date.now();
const image = await testImage();
const work = t.testdir();
const root = join(work, 'root');
unpackRoot(image.path, root);
const observed: Observation[] = [];

/** Changes a file of the unpacked root for the time of `act`. */
async function sabotaged(path: string, change: (text: string) => string, act: () => void): Promise<void> {
  const file = join(root, path);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, change(text));
  act();
  writeFileSync(file, text);
}

t.test('the disk has the three partitions of the design', async (t) => {
  t.same(
    partitionsOf(image.path).map(({ name }) => name),
    ['boot', 'root', 'card'],
  );
});

t.test('no service is more exposed than its reason says', async (t) => {
  const policy = readExposurePolicy();
  const exposures = exposuresOf(imageTools(), root);
  t.same(unexplainedExposures(policy, exposures), []);
  t.ok(exposures.get(RELAY)! <= 1.1, 'the aim for the relay');
  const limits = new Map(policy.services.map(({ name, most }) => [name, most]));
  for (const [name, value] of exposures) {
    observed.push({ name: `exposure of ${name}`, value, rule: 'at-most', limit: limits.get(name) ?? 0, unit: '' });
  }
  await sabotaged(
    `usr/lib/systemd/system/${RELAY}`,
    (text) => text.replace(/^NoNewPrivileges=.*$/m, ''),
    () => {
      t.match(
        unexplainedExposures(policy, exposuresOf(imageTools(), root)),
        [`${RELAY} is at `],
        'a lost setting is seen',
      );
    },
  );
  const strange = unexplainedExposures(policy, new Map([['strange.service', 9.6]]));
  t.ok(strange.includes('strange.service is at 9.6, and has no limit'));
  t.ok(strange.includes(`${RELAY} has a limit and is not there`));
});

t.test('lynis finds nothing that has no reason', async (t) => {
  const policy = readLynisPolicy();
  const { ran, findings } = lynisFindings(policy, root, work);
  t.ok(ran >= 15, `${ran} tests ran`);
  t.same(unexplained(policy, findings), []);
  const count = unexplained(policy, findings).length;
  observed.push({ name: 'findings of lynis without a reason', value: count, rule: 'is', limit: 0, unit: '' });
  observed.push({ name: 'tests of lynis', value: ran, rule: 'at-least', limit: 15, unit: '' });
  await sabotaged(
    'etc/passwd',
    (text) => `${text}toor:x:0:0::/:/usr/bin/sh\n`,
    () => {
      const { findings } = lynisFindings(policy, root, work);
      t.match(unexplained(policy, findings), [/^AUTH-9204: /], 'a second root is seen');
    },
  );
  t.same(unexplained(policy, findings.slice(1)), [`the waiver of ${findings[0]!.id} is not needed`]);
});

t.teardown(async () => {
  const softwareDigest = await hashOf(image.path);
  const { version } = image;
  const subject = { version, softwareDigest, configHash: NO_CONFIG, board: 'vm', environment: 'file' } as const;
  writeObservations(PROJECT, 'image-root', [{ ...subject, startedMs, endedMs: Date.now(), observed }]);
});
