import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { GRANT, type Grant } from '../../protocol/grant.ts';
import { apiKeyHash } from '../../protocol/identity.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { openRegistration, type Registration } from '../../protocol/registration.ts';
import { type SignedJson, signDocument } from '../../protocol/signed.ts';
import { authenticate, bearerKey, zoneGate } from '../../relay/members/auth.ts';
import { type Member, Registry } from '../../relay/members/registry.ts';
import { RosterStore } from '../../relay/members/roster-store.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type Site, type SiteDevice, ZONE_LISTENERS } from '../fixtures/site.ts';

const OTHER_KEY = `pgp_${'B'.repeat(43)}`;

function start(t: Test, maxDevices = Number.POSITIVE_INFINITY) {
  const site = smallPlant(t.testdir());
  const roster = new RosterStore(engine, site.rosterBytes, site);
  const registry = new Registry(engine, roster, { maxDevices });
  return { site, roster, registry };
}

/** The opened registration of a device, with parts replaced. */
function opened(
  site: Site,
  device: SiteDevice,
  changes: { grant?: SignedJson; keyStatement?: SignedJson } = {},
): Registration {
  const trust = { operatorKeys: site.operator.publicKeys, siteId: site.siteId };
  return openRegistration(engine, { ...device.registration, ...changes }, trust);
}

function grantOf(site: Site, device: SiteDevice, changes: Partial<Grant>): SignedJson {
  const { did, name, roles, zone } = device;
  const body = { v: 1 as const, siteId: site.siteId, serial: 1, did, name, roles, zone, issuedMs: 0 };
  const keyHash = apiKeyHash(engine, device.apiKey);
  return signDocument(engine, site.operator, GRANT, { ...body, apiKeyHash: keyHash, ...changes });
}

function statementOf(device: SiteDevice, generation: number, seed: number): SignedJson {
  const { publicKey } = engine.kemKey(new Uint8Array(32).fill(seed));
  return signKeyStatement(engine, device.signer, device.did, generation, publicKey);
}

function namesOf(members: readonly Member[]): string[] {
  return members.map(({ device }) => device.name);
}

t.test('a registered device is found by identifier, API key and key id', async (t) => {
  const { site, registry } = start(t);
  const plc = site.device('plc');
  const registration = opened(site, plc);
  t.equal(registry.register(registration).device.name, 'plc');
  for (const found of [
    registry.withDid(plc.did),
    registry.withApiKey(plc.apiKey),
    registry.withKeyId(registration.statement.keyId)[0],
  ]) {
    t.equal(found?.device.did, plc.did);
  }
  t.equal(registry.withApiKey(OTHER_KEY), undefined);
  t.same(registry.withKeyId('x'), []);
  t.equal(registry.withDid(site.device('plc2').did), undefined);
});

t.test('the newest grant counts, and its API key alone', async (t) => {
  const { site, registry } = start(t);
  const plc = site.device('plc');
  registry.register(opened(site, plc));
  const newer = grantOf(site, plc, { serial: 2, apiKeyHash: apiKeyHash(engine, OTHER_KEY) });
  registry.register(opened(site, plc, { grant: newer }));
  t.equal(registry.withApiKey(plc.apiKey), undefined);
  t.equal(registry.withApiKey(OTHER_KEY)?.device.name, 'plc');
  t.throws(() => registry.register(opened(site, plc)), { code: 'revoked', detail: /grant 1 was replaced by grant 2/ });
  t.equal(registry.size, 1);
});

t.test('the newest key counts, and one generation is one key', async (t) => {
  const { site, registry } = start(t);
  const plc = site.device('plc');
  const first = opened(site, plc, { keyStatement: statementOf(plc, 2, 1) });
  const second = opened(site, plc, { keyStatement: statementOf(plc, 3, 2) });
  registry.register(first);
  registry.register(second);
  t.same(registry.withKeyId(first.statement.keyId), []);
  t.same(namesOf(registry.withKeyId(second.statement.keyId)), ['plc']);
  t.throws(() => registry.register(first), { code: 'statement-older' });
  const other = opened(site, plc, { keyStatement: statementOf(plc, 3, 1) });
  t.throws(() => registry.register(other), { code: 'statement-older' });
});

t.test('a device that names the key of another keeps it from nobody', async (t) => {
  const { site, registry } = start(t);
  const [historian, mirror] = [site.device('historian'), site.device('mirror')];
  const stolen = signKeyStatement(engine, mirror.signer, mirror.did, 1, historian.recipient.publicKey);
  registry.register(opened(site, mirror, { keyStatement: stolen }));
  const own = opened(site, historian);
  registry.register(own);
  t.same(namesOf(registry.withKeyId(own.statement.keyId)), ['mirror', 'historian']);
  registry.register(opened(site, mirror, { keyStatement: statementOf(mirror, 2, 9) }));
  t.same(namesOf(registry.withKeyId(own.statement.keyId)), ['historian']);
});

t.test('who is not in the roster, is revoked, or is one too many', async (t) => {
  const { site, roster, registry } = start(t, 1);
  const [plc, plc2] = [site.device('plc'), site.device('plc2')];
  t.throws(() => registry.register(opened(site, site.stranger('x'))), { code: 'not-in-roster' });
  registry.register(opened(site, plc));
  t.throws(() => registry.register(opened(site, plc2)), { code: 'quota-exceeded', detail: /1 devices/ });
  registry.register(opened(site, plc));
  const keyHash = apiKeyHash(engine, plc.apiKey);
  const revocations = [{ did: plc.did, what: 'api-key' as const, apiKeyHash: keyHash }];
  roster.publish(site.issueRoster({ version: 2, revocations }));
  registry.enforce();
  t.equal(registry.size, 0);
  t.throws(() => registry.register(opened(site, plc)), { code: 'revoked' });
  const newKey = grantOf(site, plc, { serial: 2, apiKeyHash: apiKeyHash(engine, OTHER_KEY) });
  t.equal(registry.register(opened(site, plc, { grant: newKey })).device.name, 'plc', 'a new grant brings it back');
});

t.test('the roster describes a member, as it is now', async (t) => {
  const { site, roster, registry } = start(t);
  const plc = site.device('plc');
  registry.register(opened(site, plc));
  const devices = site.roster.devices.map((entry) =>
    entry.name === 'plc' ? { ...entry, name: 'plc-A', roles: ['audit' as const] } : entry,
  );
  roster.publish(site.issueRoster({ version: 2, devices, routes: [] }));
  t.match(registry.withApiKey(plc.apiKey)?.device, { name: 'plc-A', roles: ['audit'] });
  roster.publish(site.issueRoster({ version: 3, devices: [], routes: [] }));
  t.equal(registry.withApiKey(plc.apiKey), undefined, 'even before anybody enforced it');
});

t.test('zones are separated when more than one carries data', async (t) => {
  const [ot, it, management] = ZONE_LISTENERS;
  t.equal(zoneGate(ot!, ZONE_LISTENERS).admits('it'), false);
  t.equal(zoneGate(it!, ZONE_LISTENERS).admits('it'), true);
  const monitoring = { ...management!, calls: ['health' as const] };
  t.equal(zoneGate(ot!, [ot!, monitoring]).admits('it'), true);
});

t.test('the gate', async (t) => {
  const { site, registry } = start(t);
  const plc = site.device('plc');
  registry.register(opened(site, plc));
  const gate = zoneGate(ZONE_LISTENERS[0]!, ZONE_LISTENERS);
  const header = `Bearer ${plc.apiKey}`;
  t.equal(authenticate(registry, header, 'send', gate).device.name, 'plc');
  t.equal(authenticate(registry, header, 'device', gate).device.name, 'plc');
  t.throws(() => authenticate(registry, header, 'receive', gate), { code: 'not-available', detail: /lacks the role/ });
  for (const wrong of [undefined, '', 'Bearer', plc.apiKey, `bearer ${plc.apiKey}`, `${header} `, 'Bearer pgp_x']) {
    t.throws(() => bearerKey(wrong), { code: 'not-available' });
  }
});
