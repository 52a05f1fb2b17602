/** The directory: only what operator and peers signed counts, and nothing goes back, not even over a restart. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { canonicalBytes, type Json } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { ROSTER_FILE_LIMIT } from '../../tools/lib/device.ts';
import { Directory } from '../../tools/lib/directory.ts';
import { refuses } from '../fixtures/protocol.ts';
import { makeSite, type Site, type SiteDevice, seedOf } from '../fixtures/site.ts';

function plant(directory: string, name = 'plant-1'): Site {
  return makeSite({
    directory,
    name,
    devices: [
      { name: 'plc-A1', roles: ['send'], zone: 'ot' },
      { name: 'historian', roles: ['receive'], zone: 'it' },
    ],
    routes: [{ from: 'plc-A1', to: ['historian'] }],
  });
}

function open(folder: string, site: Site, roster = site.rosterBytes): Directory {
  return new Directory(engine, site, join(folder, 'state'), roster);
}

/** What a relay would say of a device whose key has this generation. */
function word(device: SiteDevice, generation: number, signer = device.signer): Json {
  const { publicKey } = engine.kemKey(seedOf(`${device.name} generation ${generation}`));
  const keyStatement = signKeyStatement(engine, signer, device.did, generation, publicKey);
  return { identity: device.identity, keyStatement } as Json;
}

t.test('rosters only grow, also over a restart', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const directory = open(folder, site);
  t.equal(directory.acceptRoster(site.rosterBytes), false, 'the same is nothing new');
  t.equal(directory.acceptRoster(site.issueRoster({ version: 3 })), true);
  refuses(t, 'roster-older', () => directory.acceptRoster(site.issueRoster({ version: 2 })));
  t.equal(directory.roster.version, 3);
  const restarted = open(folder, site);
  t.equal(restarted.roster.version, 3);
  refuses(t, 'roster-older', () => restarted.acceptRoster(site.issueRoster({ version: 2 })));
  t.equal(open(folder, site, site.issueRoster({ version: 4 })).roster.version, 4, 'a newer enrolment counts');
});

t.test('rosters of others are refused, from the relay and from the disk', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const directory = open(folder, site);
  const foreign = plant(folder, 'plant-2').issueRoster({ version: 9 });
  refuses(t, 'operator-mismatch', () => directory.acceptRoster(foreign));
  refuses(t, 'site-mismatch', () => directory.acceptRoster(site.issueRoster({ version: 9, siteId: '0'.repeat(32) })));
  refuses(t, 'json-invalid', () => directory.acceptRoster(new Uint8Array(3)));
  t.equal(directory.roster.version, 1);
  directory.acceptRoster(site.issueRoster({ version: 2 }));
  writeFileSync(join(folder, 'state', 'roster.json'), foreign);
  refuses(t, 'operator-mismatch', () => open(folder, site));
  writeFileSync(join(folder, 'state', 'roster.json'), new Uint8Array(ROSTER_FILE_LIMIT + 1));
  refuses(t, 'file-invalid', () => open(folder, site));
});

t.test('the keys of a peer are its own, and their generations only grow', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const historian = site.device('historian');
  const directory = open(folder, site);
  t.equal(directory.recipient(historian.did), undefined);
  directory.acceptPeer(historian.did, word(historian, 2));
  const key = directory.recipient(historian.did)!;
  refuses(t, 'statement-older', () => directory.acceptPeer(historian.did, word(historian, 1)));
  const restarted = open(folder, site);
  refuses(t, 'statement-older', () => restarted.acceptPeer(historian.did, word(historian, 1)));
  t.strictSame(restarted.recipient(historian.did), key, 'it is remembered');
  restarted.acceptPeer(historian.did, word(historian, 3));
  t.notSame(restarted.recipient(historian.did)!.keyId, key.keyId);
});

t.test('forged peers are refused and leave nothing behind', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const historian = site.device('historian');
  const mallory = site.stranger('mallory');
  const directory = open(folder, site);
  refuses(t, 'did-mismatch', () => directory.acceptPeer(historian.did, word(mallory, 1)));
  refuses(t, 'signature-invalid', () => directory.acceptPeer(historian.did, word(historian, 1, mallory.signer)));
  refuses(t, 'not-in-roster', () => directory.acceptPeer(mallory.did, word(mallory, 1)));
  for (const answer of [null, 7, [], {}, { identity: historian.identity }] as Json[]) {
    refuses(
      t,
      'schema-invalid',
      () => directory.acceptPeer(historian.did, answer),
      JSON.stringify(answer).slice(0, 40),
    );
  }
  t.equal(directory.recipient(historian.did), undefined);
  t.equal(open(folder, site).recipient(historian.did), undefined);
});

t.test('an answer that has no canonical form is refused and leaves nothing behind', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const directory = open(folder, site);
  const device = site.device('historian');
  for (const text of ['1e400', '"\\ud800"']) {
    const answer = { ...(word(device, 1) as object), didDocument: JSON.parse(text) } as Json;
    refuses(t, 'json-invalid', () => directory.acceptPeer(device.did, answer), text);
    t.equal(directory.recipient(device.did), undefined);
  }
});

t.test('a peer on disk that does not verify is as good as none', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const historian = site.device('historian');
  open(folder, site).acceptPeer(historian.did, word(historian, 2));
  const path = join(folder, 'state', 'peers', `${historian.did.split(':').at(-1)}.json`);
  for (const bytes of ['{', canonicalBytes(word(site.stranger('mallory'), 2))]) {
    writeFileSync(path, bytes);
    t.equal(open(folder, site).recipient(historian.did), undefined);
  }
});

t.test('roles decide what a key is good for', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const [plc, historian] = [site.device('plc-A1'), site.device('historian')];
  const directory = open(folder, site);
  for (const device of [plc, historian]) directory.acceptPeer(device.did, word(device, 1));
  t.ok(directory.verifyingKeys(plc.digest, 'send'));
  t.equal(directory.verifyingKeys(plc.digest, 'receive'), undefined);
  t.equal(directory.recipient(plc.did), undefined, 'nothing is sealed to a sender');
  t.ok(directory.verifyingKeys(historian.digest, 'receive'));
  t.equal(directory.member(plc.digest)?.name, 'plc-A1');
  t.equal(directory.member(site.stranger('x').digest), undefined);
});

t.test('who is revoked or left out is no member any more', async (t) => {
  const folder = t.testdir();
  const site = plant(folder);
  const historian = site.device('historian');
  const revocations = [{ did: historian.did, what: 'device' as const }];
  const devices = site.roster.devices.filter(({ name }) => name !== 'historian');
  for (const [i, changes] of [{ revocations }, { devices, routes: [] }].entries()) {
    const directory = open(join(folder, `${i}`), site);
    directory.acceptPeer(historian.did, word(historian, 1));
    t.ok(directory.recipient(historian.did));
    directory.acceptRoster(site.issueRoster({ version: 2, ...changes }));
    t.equal(directory.recipient(historian.did), undefined);
    t.equal(directory.verifyingKeys(historian.digest, 'receive'), undefined);
    t.equal(directory.member(historian.digest), undefined);
    refuses(t, 'not-in-roster', () => directory.acceptPeer(historian.did, word(historian, 2)));
  }
});
