/** What an operator does, as a running relay and its devices feel it. */
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { asProblem } from '../../protocol/problem.ts';
import { type EphemeralSite, openEphemeralSite } from '../../tools/ghostpipe/ephemeral-site.ts';
import { TRIAL_DEVICES } from '../../tools/ghostpipe/start.ts';
import { readEnrolment } from '../../tools/lib/device.ts';
import { Directory } from '../../tools/lib/directory.ts';
import { Membership } from '../../tools/lib/membership.ts';
import { deviceFolder } from '../../tools/lib/paths.ts';
import { readProfile } from '../../tools/lib/profile.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { enrolDevice } from '../../tools/provision/device.ts';
import type { DeviceOut } from '../../tools/provision/options.ts';
import { publish, publishRoster } from '../../tools/provision/publish.ts';
import { replaceIdentity } from '../../tools/provision/replace-device.ts';
import { revokeDevice } from '../../tools/provision/revoke.ts';
import { rotateKey } from '../../tools/provision/rotate.ts';
import { SiteFolder } from '../../tools/provision/site-folder.ts';

async function running(t: Test): Promise<EphemeralSite> {
  const ephemeral = await openEphemeralSite(engine, {
    name: 'plant-1',
    blockSize: 65_536,
    intervalMs: 1000,
    slots: 2,
    logLevel: 'silent',
    devices: TRIAL_DEVICES,
  });
  t.teardown(() => ephemeral.close());
  return ephemeral;
}

/** Where the files of a further device, or newer files of the same, are put. */
function out(ephemeral: EphemeralSite, name: string): DeviceOut {
  return { folder: join(ephemeral.folder, 'hosts', name), profile: 'iot' };
}

/** Registers as the device whose files stand in `host`; `accepted`, or the code of the refusal. */
async function register(ephemeral: EphemeralSite, host: DeviceOut, name: string): Promise<string> {
  const profile = readProfile(host.folder, 'iot');
  const enrolment = readEnrolment(engine, deviceFolder(host.folder, name));
  const relay = new RelayClient({ url: profile.url, pins: profile.relayPins, apiKey: enrolment.apiKey });
  const state = join(ephemeral.folder, 'state', host.folder);
  try {
    await new Membership(relay, enrolment, new Directory(engine, profile, state, enrolment.rosterBytes)).renew();
    return 'accepted';
  } catch (thrown) {
    return asProblem(thrown).code;
  } finally {
    relay.close();
  }
}

t.test('a device enrolled later is served once the roster is published', async (t) => {
  const ephemeral = await running(t);
  const host = out(ephemeral, 'late');
  const late = { name: 'late', roles: ['send'], zone: 'ot', to: ['historian'], groups: [] } as const;
  enrolDevice(engine, ephemeral.site, late, host);
  t.equal(await register(ephemeral, host, 'late'), 'not-in-roster');
  await publishRoster(ephemeral.site);
  t.equal(await register(ephemeral, host, 'late'), 'accepted');
});

t.test('a revoked device is refused, the others are not', async (t) => {
  const ephemeral = await running(t);
  const plc = out(ephemeral, 'plc-A1');
  t.equal(await register(ephemeral, plc, 'plc-A1'), 'accepted');
  revokeDevice(ephemeral.site, 'plc-A1');
  await publishRoster(ephemeral.site);
  t.equal(await register(ephemeral, plc, 'plc-A1'), 'revoked');
  t.equal(await register(ephemeral, out(ephemeral, 'historian'), 'historian'), 'accepted');
});

t.test('after a rotation the new key works and the old one does not', async (t) => {
  const ephemeral = await running(t);
  const [plc, copy] = [out(ephemeral, 'plc-A1'), out(ephemeral, 'copy')];
  cpSync(plc.folder, copy.folder, { recursive: true });
  t.equal(await register(ephemeral, plc, 'plc-A1'), 'accepted');
  rotateKey(engine, ephemeral.site, 'plc-A1', plc);
  await publishRoster(ephemeral.site);
  t.equal(await register(ephemeral, plc, 'plc-A1'), 'accepted');
  t.equal(await register(ephemeral, copy, 'plc-A1'), 'revoked');
});

t.test('a replaced device takes the place of the old one', async (t) => {
  const ephemeral = await running(t);
  const [old, now] = [out(ephemeral, 'plc-A1'), out(ephemeral, 'plc-A1-new')];
  replaceIdentity(engine, ephemeral.site, 'plc-A1', now);
  await publishRoster(ephemeral.site);
  t.equal(await register(ephemeral, now, 'plc-A1'), 'accepted');
  t.equal(await register(ephemeral, old, 'plc-A1'), 'revoked');
});

t.test('publishing twice is no error, publishing from an old copy is', async (t) => {
  const ephemeral = await running(t);
  const copy = join(ephemeral.folder, 'copy-of-site');
  cpSync(ephemeral.site.path, copy, { recursive: true });
  revokeDevice(ephemeral.site, 'auditor');
  await publishRoster(ephemeral.site);
  await publishRoster(ephemeral.site);
  const out = t.capture(process.stdout, 'write', () => true);
  const codes = [
    await publish(['--dir', ephemeral.site.path]),
    await publish(['--dir', ephemeral.site.path, '--json']),
  ];
  out.restore();
  const said = out()
    .map(({ args }) => String(args[0]))
    .join('');
  t.same(codes, [0, 0]);
  t.match(said, /has roster version \d+\.\n\{"ok":true,"version":\d+,"published":true\}/);
  await t.rejects(publishRoster(new SiteFolder(engine, copy)), { code: 'roster-older' });
});
