import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DEFAULT_BLOCK_BYTES } from '../../protocol/block.ts';
import { parseCanonical } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { keysFromText } from '../../protocol/identity.ts';
import type { Problem } from '../../protocol/problem.ts';
import { openRegistration } from '../../protocol/registration.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { openRoster, routeOf } from '../../protocol/roster.ts';
import { openDocumentBytes } from '../../protocol/signed.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { readSeedFile, relayIdentity } from '../../relay/identity.ts';
import { type Enrolment, readEnrolment } from '../../tools/lib/device.ts';
import { Directory } from '../../tools/lib/directory.ts';
import { deviceFolder } from '../../tools/lib/paths.ts';
import { readProfile } from '../../tools/lib/profile.ts';
import { type DeviceRequest, enrolDevice } from '../../tools/provision/device.ts';
import { writeZoneProfile } from '../../tools/provision/device-files.ts';
import { listDevices } from '../../tools/provision/list.ts';
import { createSite } from '../../tools/provision/new-site.ts';
import { replaceIdentity } from '../../tools/provision/replace-device.ts';
import { revokeDevice } from '../../tools/provision/revoke.ts';
import { rotateKey } from '../../tools/provision/rotate.ts';
import { SiteFolder } from '../../tools/provision/site-folder.ts';

const URLS = { ot: 'https://10.0.0.1:3000', it: 'https://[fd00::2]:3000', management: 'https://relay.plant:3002' };
const HISTORIAN: DeviceRequest = { name: 'historian', roles: ['receive'], zone: 'it', to: [], groups: [] };
const PLC: DeviceRequest = { name: 'plc-A1', roles: ['send'], zone: 'ot', to: ['historian'], groups: [] };

function newSite(t: Test): {
  site: SiteFolder;
  folder: string;
  out: (name: string) => { folder: string; profile: string };
} {
  const root = t.testdir();
  const folder = join(root, 'site');
  const site = createSite(engine, folder, {
    name: 'plant-1',
    urls: URLS,
    blockSize: DEFAULT_BLOCK_BYTES,
    intervalMs: 15_000,
    slots: 8,
  });
  return { site, folder, out: (name) => ({ folder: join(root, name), profile: 'iot' }) };
}

function enrolled(out: { folder: string }, name: string): Enrolment {
  return readEnrolment(engine, deviceFolder(out.folder, name));
}

/** A device's view of the site after it was given the current roster. */
function directoryOf(t: Test, site: SiteFolder, enrolment: Enrolment): Directory {
  const directory = new Directory(engine, site.settings, join(t.testdirName, 'state'), enrolment.rosterBytes);
  directory.acceptRoster(site.rosterBytes);
  return directory;
}

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    return (thrown as Problem).code;
  }
  return 'accepted';
}

function mode(path: string): string {
  return (statSync(path).mode & 0o777).toString(8);
}

t.test('a new site opens again, with secrets for its owner only', async (t) => {
  const { site, folder } = newSite(t);
  const again = new SiteFolder(engine, folder);
  t.strictSame(again.settings, site.settings);
  t.equal(again.roster.version, 1);
  t.equal(again.roster.profile.blockSize, DEFAULT_BLOCK_BYTES);
  t.equal(mode(folder), '700');
  t.equal(mode(join(folder, 'operator-seed')), '600');
  t.equal(mode(join(folder, 'relay', 'identity-seed')), '600');
  const relayRoster = readFileSync(join(folder, 'relay', 'roster.json'));
  t.equal(openRoster(engine, relayRoster, { ...site.settings, minVersion: 1 }).siteName, 'plant-1');
});

t.test('the pins are those that a relay with this seed shows', async (t) => {
  const { site, folder } = newSite(t);
  const seed = await readSeedFile(join(folder, 'relay', 'identity-seed'));
  const relay = relayIdentity(engine, seed, 'plant-1');
  t.strictSame(site.settings.relayPins, [relay.tls.pin]);
  t.equal(site.settings.logPin, relay.logPin);
});

t.test('listeners stand on addresses of the URLs, on all where only the relay knows its own', async (t) => {
  const { folder } = newSite(t);
  const yaml = readFileSync(join(folder, 'relay', 'relay.yaml'), 'utf8');
  t.match(yaml, /zone: ot\n {4}address: 10\.0\.0\.1\n {4}port: 3000\n/);
  t.match(yaml, /zone: it\n {4}address: fd00::2\n/);
  t.match(yaml, /zone: management\n {4}address: 0\.0\.0\.0\n {4}port: 3002\n/);
});

t.test('no second site is made where one stands, nor in any used folder', async (t) => {
  const { site, folder } = newSite(t);
  const again = () =>
    createSite(engine, folder, { name: 'x', urls: URLS, blockSize: 65_536, intervalMs: 1000, slots: 1 });
  t.equal(codeOf(again), 'already-exists');
  t.strictSame(new SiteFolder(engine, folder).settings, site.settings);
});

t.test('a folder that was tampered with is not opened', async (t) => {
  const { folder } = newSite(t);
  const open = () => new SiteFolder(engine, folder);
  const seed = join(folder, 'operator-seed');
  const own = readFileSync(seed);
  writeFileSync(seed, `${'A'.repeat(43)}\n`);
  t.equal(codeOf(open), 'operator-mismatch', 'the seed of another operator');
  writeFileSync(seed, 'AAAA\n');
  t.equal(codeOf(open), 'file-invalid', 'a short seed');
  writeFileSync(seed, own);
  chmodSync(seed, 0o640);
  t.equal(codeOf(open), 'permissions-open');
  chmodSync(seed, 0o600);
  rmSync(join(folder, 'rosters', '1.json'));
  t.equal(codeOf(open), 'file-invalid', 'no roster');
  rmSync(seed);
  t.equal(codeOf(open), 'key-missing');
  writeFileSync(join(folder, 'site.json'), '{"v":1}');
  t.equal(codeOf(open), 'file-invalid', 'site.json of no version');
  rmSync(join(folder, 'site.json'));
  t.equal(codeOf(open), 'config-missing');
});

t.test('an enrolled device can register: grant, identity and roster belong together', async (t) => {
  const { site, out } = newSite(t);
  enrolDevice(engine, site, HISTORIAN, out('h'));
  const did = enrolDevice(engine, site, PLC, out('p'));
  const { device, grant, apiKey } = enrolled(out('p'), 'plc-A1');
  t.equal(device.did, did);
  const registration = openRegistration(
    engine,
    { identity: device.identity, grant, keyStatement: device.keyStatement },
    { operatorKeys: keysFromText(site.roster.operator), siteId: site.settings.siteId },
  );
  t.strictSame([registration.grant.name, registration.grant.zone, registration.grant.serial], ['plc-A1', 'ot', 3]);
  t.match(apiKey, /^pgp_/);
  t.strictSame(routeOf(site.roster, 'plc-A1').recipients[0]?.name, 'historian');
  t.strictSame(readProfile(out('p').folder, 'iot').url, URLS.ot);
  t.strictSame(readProfile(out('h').folder, 'iot').url, URLS.it);
  for (const secret of ['identity.json', 'kem.json', 'api-key']) {
    t.equal(mode(join(deviceFolder(out('p').folder, 'plc-A1'), secret)), '600', secret);
  }
  t.notMatch(allText(site.path), apiKey, 'the operator keeps no API key');
  t.strictSame(
    listDevices(site).map(({ name, to, serial }) => ({ name, to, serial })),
    [
      { name: 'historian', to: [], serial: 2 },
      { name: 'plc-A1', to: ['historian'], serial: 3 },
    ],
  );
});

t.test('keys and profiles of other devices are never written over', async (t) => {
  const { site, out } = newSite(t);
  enrolDevice(engine, site, HISTORIAN, out('h'));
  t.equal(
    codeOf(() => enrolDevice(engine, site, HISTORIAN, out('h2'))),
    'already-exists',
    'the name',
  );
  t.equal(
    codeOf(() => enrolDevice(engine, site, { ...HISTORIAN, name: 'second', zone: 'ot' }, out('h'))),
    'already-exists',
    'the profile leads to another zone',
  );
  revokeDevice(site, 'historian');
  t.equal(
    codeOf(() => enrolDevice(engine, site, HISTORIAN, out('h'))),
    'already-exists',
    'the folder holds keys',
  );
  t.equal(
    codeOf(() => enrolDevice(engine, site, HISTORIAN, out('h3'))),
    'accepted',
    'the name is free again',
  );
});

t.test('a revoked device is no member for anybody who has the new roster', async (t) => {
  const { site, out } = newSite(t);
  enrolDevice(engine, site, HISTORIAN, out('h'));
  enrolDevice(engine, site, PLC, out('p'));
  const plc = enrolled(out('p'), 'plc-A1').device;
  const historian = enrolled(out('h'), 'historian');
  const answer = { identity: { ...plc.identity }, keyStatement: plc.keyStatement };
  const before = directoryOf(t, site, historian);
  before.acceptPeer(plc.did, answer);
  t.ok(before.verifyingKeys(plc.digest, 'send'));

  const path = revokeDevice(site, 'plc-A1')!;
  before.acceptRoster(site.rosterBytes);
  t.equal(before.verifyingKeys(plc.digest, 'send'), undefined);
  t.equal(
    codeOf(() => before.acceptPeer(plc.did, answer)),
    'not-in-roster',
  );
  const statement = openDocumentBytes(engine, REVOCATION, readFileSync(path), () => keysFromText(site.roster.operator));
  t.strictSame([statement.did, statement.what, statement.by], [plc.did, 'device', 'operator']);
  t.equal(revokeDevice(site, 'plc-A1'), null, 'again changes nothing');
  t.equal(
    codeOf(() => revokeDevice(site, 'nobody')),
    'not-in-roster',
  );
});

t.test('rotation gives a new key and revokes the old one, and nothing else', async (t) => {
  const { site, out } = newSite(t);
  enrolDevice(engine, site, HISTORIAN, out('h'));
  const before = enrolled(out('h'), 'historian');
  const oldHash = site.grant('historian')!.apiKeyHash;
  rotateKey(engine, site, 'historian', out('h'));
  const after = enrolled(out('h'), 'historian');
  t.equal(after.device.did, before.device.did);
  t.not(after.apiKey, before.apiKey);
  t.strictSame(site.roster.revocations, [{ did: before.device.did, what: 'api-key', apiKeyHash: oldHash }]);
  t.ok(site.grant('historian')!.serial > 2);
  t.ok(directoryOf(t, site, after).member(after.device.digest), 'the device itself stays a member');
  rmSync(join(site.path, 'grants', 'historian.json'));
  t.equal(
    codeOf(() => rotateKey(engine, site, 'historian', out('h'))),
    'file-invalid',
  );
});

t.test('a replaced device is another one under the same name', async (t) => {
  const { site, out } = newSite(t);
  enrolDevice(engine, site, HISTORIAN, out('h'));
  enrolDevice(engine, site, PLC, out('p'));
  const old = enrolled(out('p'), 'plc-A1').device;
  const { did, oldDid } = replaceIdentity(engine, site, 'plc-A1', out('new'));
  const now = enrolled(out('new'), 'plc-A1');
  t.strictSame([oldDid, did], [old.did, now.device.did]);
  t.not(did, oldDid);
  t.strictSame(site.roster.revocations, [{ did: oldDid, what: 'device' }]);
  const directory = directoryOf(t, site, now);
  t.equal(directory.member(old.digest), undefined);
  t.equal(directory.member(now.device.digest)?.name, 'plc-A1');
  t.equal(routeOf(site.roster, 'plc-A1').recipients.length, 1);
});

t.test('of two changes at the same moment one is refused, and no version is signed twice', async (t) => {
  const { site, folder, out } = newSite(t);
  const other = new SiteFolder(engine, folder);
  const draft = other.draft(other.roster);
  enrolDevice(engine, site, HISTORIAN, out('h'));
  t.equal(
    codeOf(() => other.commit(draft)),
    'already-exists',
  );
  t.strictSame(readdirSync(join(folder, 'rosters')).sort(), ['1.json', '2.json']);
  t.equal(new SiteFolder(engine, folder).roster.devices[0]?.name, 'historian');
});

t.test('a moved relay is written into the profiles of later devices', async (t) => {
  const { site, folder, out } = newSite(t);
  site.setUrls({ ...URLS, it: 'https://10.9.9.9:1' });
  enrolDevice(engine, new SiteFolder(engine, folder), HISTORIAN, out('h'));
  t.equal(readProfile(out('h').folder, 'iot').url, 'https://10.9.9.9:1');
});

t.test('every roster file is canonical', async (t) => {
  const { site, out } = newSite(t);
  enrolDevice(engine, site, { ...HISTORIAN, groups: ['archive'] }, out('h'));
  t.ok(parseCanonical(site.rosterBytes, 1_048_576));
});

/** Everything in a folder as one text. */
function allText(folder: string): string {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join('\n');
}

t.test('the key that exports are sealed to is for the management zone, and goes again', (t) => {
  const { site, out } = newSite(t);
  const key = engine.kemKey(new Uint8Array(32)).publicKey;
  const exportToOf = (zone: 'ot' | 'management') => {
    writeZoneProfile(site, zone, out(zone));
    return readProfile(out(zone).folder, 'iot').exportTo;
  };
  site.setExportTo(key);
  t.equal(new SiteFolder(engine, site.path).settings.exportTo, toBase64Url(key));
  t.equal(exportToOf('management'), toBase64Url(key));
  t.equal(exportToOf('ot'), undefined);
  site.setExportTo(null);
  t.equal(exportToOf('management'), undefined);
  t.end();
});
