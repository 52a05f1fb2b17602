/** The operator's word reaches the relay, counts at once, and nobody else's does. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { itemOf } from '../../protocol/control.ts';
import type { SigningKey } from '../../protocol/engine/engine.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { apiKeyHash } from '../../protocol/identity.ts';
import { REVOCATION, type Revocation } from '../../protocol/revocation.ts';
import { type SignedJson, signDocument } from '../../protocol/signed.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { allWiped, type RunningRelay, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';
import type { Site, SiteDevice } from '../fixtures/site.ts';

const BLOCK = 65_536;

function revocationOf(site: Site, device: SiteDevice, signer: SigningKey, body: Partial<Revocation> = {}): SignedJson {
  return signDocument(engine, signer, REVOCATION, {
    v: 1,
    siteId: site.siteId,
    serial: 1,
    by: 'operator',
    did: device.did,
    what: 'device',
    issuedMs: 0,
    ...body,
  });
}

/** Posts a document without any API key. */
async function post({ ask }: RunningRelay, path: string, document: SignedJson | Uint8Array) {
  const body = document instanceof Uint8Array ? document : canonicalBytes(document);
  const headers = { 'content-type': 'application/json' };
  const answer = await ask('management', { method: 'POST', path, headers, body });
  return { status: answer.status, ...(JSON.parse(answer.body.toString()) as { code?: string; version?: number }) };
}

t.test('a newer roster counts at once; an older one, a foreign one and another block size never do', async (t) => {
  const directory = t.testdir();
  const site = smallPlant(directory);
  const foreign = smallPlant(directory, {}, 'plant-2');
  const running = await runRelay(t, site);
  const sender = await running.registered(site.device('plc2'));
  await running.registered(site.device('mirror'));
  const toMirror = () => sealTo(site.device('plc2'), [site.device('mirror')]);
  await t.rejects(sender.submit(toMirror()), { code: 'not-routed' });

  const newer = site.issueRoster({ version: 5, routes: [{ from: 'plc2', to: ['mirror'] }] });
  t.match(await post(running, '/v2/roster', newer), { status: 200, version: 5 });
  t.ok(itemOf(await sender.submit(toMirror()), 'accepted'));
  t.same(Buffer.from(await sender.roster()), Buffer.from(newer), 'and is handed out as it was signed');

  for (const version of [1, 4, 5]) {
    const answer = await post(running, '/v2/roster', site.issueRoster({ version }));
    t.match(answer, { status: 409, code: 'roster-older' }, `version ${version}`);
  }
  const strange = [foreign.issueRoster({ version: 9 }), Buffer.from('{}'), Buffer.alloc(1_100_000), flipped(newer)];
  for (const bytes of strange) {
    t.match(await post(running, '/v2/roster', bytes), { status: 404, code: 'not-available' });
  }
  const profile = { ...site.roster.profile, blockSize: 2 * BLOCK };
  const resized = await post(running, '/v2/roster', site.issueRoster({ version: 9, profile }));
  t.match(resized, { status: 409, code: 'profile-mismatch' });
  t.match(await running.client(site.device('plc'), 'management').health(), {
    rosterVersion: 5,
    notices: [/roster 5 came after the start/],
  });
});

t.test('a block for a reader of a published roster outlives a restart with the older roster file', async (t) => {
  const store = { kind: 'tmpfs', slots: 2, path: blocksFolder(t) };
  const site = smallPlant(t.testdir(), { store });
  const newer = site.issueRoster({ version: 5, routes: [{ from: 'plc2', to: ['mirror'] }] });
  const older = site.roster.devices.filter(({ name }) => name !== 'mirror');
  writeFileSync(site.rosterFile, site.issueRoster({ devices: older, routes: [{ from: 'plc2', to: ['historian'] }] }));
  const first = await runRelay(t, site);
  t.match(await post(first, '/v2/roster', newer), { status: 200 });
  await first.registered(site.device('mirror'));
  const sender = await first.registered(site.device('plc2'));
  const { transferId } = itemOf(await sender.submit(sealTo(site.device('plc2'), [site.device('mirror')])), 'accepted')!;
  await first.relay.close();

  const second = await runRelay(t, site);
  await t.rejects(second.registered(site.device('mirror')), { code: 'not-in-roster' });
  t.match(await post(second, '/v2/roster', newer), { status: 200 });
  const mirror = await second.registered(site.device('mirror'));
  const { items } = await mirror.claim([sessionItem()], BLOCK);
  t.same(itemOf(items, 'lease')?.transferId, transferId);
});

t.test('a revoked device is out at once, and what waited for it is gone', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await running.registered(plc);
  const reader = await running.registered(historian);
  await sender.submit(sealTo(plc, [historian]));
  t.match(await post(running, '/v2/revoke', revocationOf(site, historian, site.operator)), { status: 200 });
  await t.rejects(reader.claim([sessionItem()], BLOCK), { code: 'not-available' });
  await t.rejects(reader.register(historian.registration), { code: 'revoked' });
  await t.rejects(sender.submit(sealTo(plc, [historian])), { code: 'no-recipient' });
  t.ok(await allWiped(running.conduit));
  t.match(await running.client(plc, 'management').health(), { notices: [/1 revocations stand in no roster/] });
  const revocations = [{ did: historian.did, what: 'device' as const }];
  await post(running, '/v2/roster', site.issueRoster({ version: 2, revocations }));
  t.match(await running.client(plc, 'management').health(), { notices: [/roster 2 came after the start/] });
});

t.test('a device leaves the roster', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const reader = await running.registered(site.device('historian'));
  const devices = site.roster.devices.filter(({ name }) => name !== 'historian');
  await post(running, '/v2/roster', site.issueRoster({ version: 2, devices, routes: [] }));
  await t.rejects(reader.roster(), { code: 'not-available' });
  await t.rejects(reader.register(site.device('historian').registration), { code: 'not-in-roster' });
  t.equal(running.conduit.registry.size, 0);
});

t.test('a device may revoke itself, and its own API key, and nobody else', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const [plc, plc2] = [site.device('plc'), site.device('plc2')];
  const sender = await running.registered(plc);
  await running.registered(plc2);
  const refused: readonly [string, SignedJson][] = [
    ['of another device', revocationOf(site, plc2, plc.signer, { by: 'device' })],
    ['in the name of the operator', revocationOf(site, plc, plc.signer)],
    ['of an API key that is not in use', revocationOf(site, plc, plc.signer, keyOf('pgp_other'))],
    ['of a device that is not registered', revocationOf(site, site.device('lonely'), site.operator, { by: 'device' })],
    ['for another site', revocationOf(site, plc, site.operator, { siteId: '0'.repeat(32) })],
  ];
  for (const [what, document] of refused) {
    t.match(await post(running, '/v2/revoke', document), { status: 404, code: 'not-available' }, what);
  }
  t.ok(await sender.roster(), 'nothing happened');
  t.match(await post(running, '/v2/revoke', revocationOf(site, plc, plc.signer, keyOf(plc.apiKey))), { status: 200 });
  await t.rejects(sender.roster(), { code: 'not-available' });
  await t.rejects(sender.register(plc.registration), { code: 'revoked' });
  const self = revocationOf(site, plc2, plc2.signer, { by: 'device' });
  t.match(await post(running, '/v2/revoke', self), { status: 200 });
  t.equal(running.conduit.registry.size, 0);
});

function keyOf(apiKey: string): Partial<Revocation> {
  return { by: 'device', what: 'api-key', apiKeyHash: apiKeyHash(engine, apiKey) };
}

/** A copy with one digit of the version changed, so that only the signature tells. */
function flipped(bytes: Uint8Array): Buffer {
  return Buffer.from(Buffer.from(bytes).toString().replace('"version":5', '"version":6'));
}
