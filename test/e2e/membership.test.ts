/** The exchange of members: one frame up and one down, over which roster and keys come piece by piece. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import {
  CONTROL_BYTES,
  type ControlItem,
  encodeControl,
  itemOf,
  MAX_ROSTER_PIECE_BYTES,
} from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { didOf } from '../../protocol/identity.ts';
import { MEMBERSHIP_SLOTS } from '../../protocol/slot-plan.ts';
import type { Enrolment } from '../../tools/lib/device.ts';
import { Directory } from '../../tools/lib/directory.ts';
import { Membership } from '../../tools/lib/membership.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { figuresOf, until } from '../fixtures/clients.ts';
import { INTERVAL_MS, makePlant } from '../fixtures/flow.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type RunningRelay, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { type Site, type SiteDevice, seedOf } from '../fixtures/site.ts';

t.setTimeout(90_000);

const BLOCK = 65_536;

/** A member as its client would be, with what it knows; `heard` counts exchanges. */
function makeMember(t: Test, running: RunningRelay, site: Site, device: SiteDevice) {
  const { host, port, pins } = running.peer(device.zone);
  const client = new RelayClient({ url: `https://${host}:${port}`, pins, apiKey: device.apiKey, uniformMs: 1000 });
  t.teardown(() => client.close());
  const directory = new Directory(engine, site, join(t.testdirName, device.name), site.rosterBytes);
  const { grant, apiKey } = device;
  const membership = new Membership(client, { device, grant, apiKey } as unknown as Enrolment, directory);
  return { client, directory, membership };
}

/** A roster of so many further devices, for which no keys need to exist. */
function largeRoster(site: Site, version: number, count: number): Uint8Array {
  const more = Array.from({ length: count }, (_, i) => ({
    name: `spare-${i}`,
    did: didOf(seedOf(`spare ${i}`)),
    roles: ['receive' as const],
    zone: 'it' as const,
  }));
  return site.issueRoster({ version, devices: [...site.roster.devices, ...more] });
}

t.test('a start brings the whole roster and every key that is needed, piece by piece', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  running.conduit.roster.publish(largeRoster(site, 2, 600));
  t.ok(running.conduit.roster.bytes.length > 3 * 24_576, `${running.conduit.roster.bytes.length} bytes`);
  for (const name of ['historian', 'mirror']) await running.registered(site.device(name));
  const { membership, directory } = makeMember(t, running, site, site.device('plc'));
  t.strictSame(await membership.join(), []);
  t.equal(directory.roster.version, 2);
  for (const name of ['historian', 'mirror']) t.ok(directory.recipient(site.device(name).did), name);
  t.notOk(directory.recipient(site.device('archive').did), 'nobody needs it');
  t.equal(membership.renewals, 5, 'four pieces, keys beside the last one, and nothing new');

  running.conduit.roster.publish(largeRoster(site, 3, 400));
  await membership.renew();
  running.conduit.roster.publish(largeRoster(site, 4, 500));
  for (let i = 0; i < 4; i++) await membership.renew();
  t.equal(directory.roster.version, 4, 'a piece of another version begins anew');
});

t.test('a newer roster comes beside blocks too, in the slots of sender and receiver', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = makeMember(t, running, site, plc);
  const reader = makeMember(t, running, site, historian);
  for (const { membership } of [sender, reader]) await membership.join();
  running.conduit.roster.publish(largeRoster(site, 2, 250));
  const slots = {
    submit: () => sender.client.submit(sealTo(plc, [historian])),
    claim: async () => (await reader.client.claim([sessionItem()], BLOCK)).items,
  };
  const { intervalMs } = site.roster.profile;
  for (const [exchange, { membership, directory }] of [
    [slots.submit, sender],
    [slots.claim, reader],
  ] as const) {
    const slot = async () => {
      await sleep(intervalMs / 2);
      return exchange();
    };
    const before = membership.renewals;
    const lost = itemOf(await slot(), 'rosterPiece')!;
    t.equal(lost.offset, 0);
    const next = await slot();
    t.equal(itemOf(next, 'rosterPiece')!.offset, lost.bytes.length);
    membership.takeBeside(next); // does not follow on anything here
    t.equal(directory.roster.version, 1);
    await membership.renew();
    for (let i = 0; i < 4 && directory.roster.version === 1; i++) membership.takeBeside(await slot());
    t.equal(directory.roster.version, 2);
    t.equal(membership.renewals, before + 1, 'the other pieces came in slots');
    t.notOk(itemOf(await slot(), 'rosterPiece'), 'and then no more');
  }
});

t.test('a sender and a receiver at work have a large roster before they ask for all of its pieces', async (t) => {
  const plant = await makePlant(t);
  const clients = [plant.sender(['--stdin', '--metrics', '0']), plant.receiver(['--metrics', '0'])];
  const accepted = (): number => plant.events.filter(({ type }) => type === 'accepted').length;
  await until('blocks', () => accepted() >= 3, clients[0]!.stderr);
  const { roster } = plant.relay.conduit!;
  roster.publish(largeRoster(plant.site, 2, 1000));
  const pieces = Math.ceil(roster.bytes.length / MAX_ROSTER_PIECE_BYTES);
  const before = accepted();
  for (const client of clients) while ((await figuresOf(client)).roster_version !== 2) await sleep(INTERVAL_MS);
  const slots = accepted() - before;
  const asked = (pieces - 1) * MEMBERSHIP_SLOTS;
  t.ok(slots < asked, `${pieces} pieces in ${slots} slots; by asking it takes ${asked} at least`);
  for (const { child, ended, stderr } of clients) {
    child.kill('SIGTERM');
    t.equal(await ended, 0, stderr());
  }
});

t.test('a key is given to who has another one, and to nobody twice', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const { membership, client } = makeMember(t, running, site, plc);
  t.match(await membership.renew(), { isNew: false });
  await running.registered(historian);
  t.match(await membership.renew(), { isNew: true, problems: [] });
  const registration: ControlItem = { type: 'registration', bytes: Buffer.from(JSON.stringify(plc.registration)) };
  const types = async (...items: ControlItem[]) =>
    (await client.membership([registration, ...items])).map(({ type }) => type).join(' ');
  t.equal(await types(), 'epoch peer');
  const { keyId } = historian.recipient;
  t.equal(await types({ type: 'peerHave', digest: historian.digest, keyId }), 'epoch');
  t.equal(
    await types({ type: 'peerHave', digest: historian.digest, keyId: keyId.map((byte) => byte ^ 1) }),
    'epoch peer',
  );
  t.equal(await types({ type: 'rosterHave', version: 0, partVersion: 1, partBytes: 1e6 }), 'epoch rosterPiece peer');
  t.equal(await types({ type: 'rosterHave', version: 1, partVersion: 0, partBytes: 0 }), 'epoch peer');
});

t.test('who is no member gets the answer of strangers; one that was turned away is told in the frame', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const plc = site.device('plc');
  const { client, membership } = makeMember(t, running, site, plc);
  const mallory = makeMember(t, running, site, { ...plc, apiKey: site.device('historian').apiKey });
  await t.rejects(mallory.membership.renew(), { code: 'not-available' });
  await t.rejects(client.membership([]), { code: 'not-available' }, 'no registration');
  const devices = site.roster.devices.filter(({ name }) => name !== 'plc');
  const routes = site.roster.routes.filter(({ from }) => from !== 'plc');
  running.conduit.roster.publish(site.issueRoster({ version: 2, devices, routes }));
  await t.rejects(membership.renew(), { code: 'not-in-roster' });

  const headers = { authorization: `Bearer ${plc.apiKey}`, 'content-type': 'application/octet-stream' };
  const body = encodeControl([{ type: 'registration', bytes: Buffer.from(JSON.stringify(plc.registration)) }]);
  const { status, body: answer } = await running.ask('ot', { method: 'POST', path: '/v2/membership', headers, body });
  t.strictSame([status, answer.length], [200, CONTROL_BYTES], 'of the size of any other');
});
