/** Another identity for the relay, and the profiles that tell devices of it. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { readSeedFile, relayIdentity } from '../../relay/identity.ts';
import { readProfile } from '../../tools/lib/profile.ts';
import { enrolDevice } from '../../tools/provision/device.ts';
import { main } from '../../tools/provision/main.ts';
import { createSite } from '../../tools/provision/new-site.ts';
import { beginRelayIdentity, finishRelayIdentity } from '../../tools/provision/replace-relay.ts';
import { SiteFolder } from '../../tools/provision/site-folder.ts';
import { captured } from '../fixtures/command.ts';

const URLS = { ot: 'https://10.0.0.1:3000', it: 'https://10.0.0.1:3001', management: 'https://10.0.0.1:3002' };

function newSite(t: Test): {
  readonly site: SiteFolder;
  readonly folder: string;
  readonly path: (name: string) => string;
} {
  const root = t.testdir();
  const folder = join(root, 'site');
  const site = createSite(engine, folder, { name: 'p', urls: URLS, blockSize: 65_536, intervalMs: 1000, slots: 1 });
  return { site, folder, path: (name) => join(root, name) };
}

t.test('first both pins count, then the new one alone', async (t) => {
  const { site, folder } = newSite(t);
  const { relayPins, logPin } = site.settings;
  const next = join(folder, 'next-relay-seed');
  const now = async () => relayIdentity(engine, await readSeedFile(join(folder, 'relay', 'identity-seed')), 'p');
  beginRelayIdentity(engine, site);
  t.equal(statSync(next).mode & 0o777, 0o600);
  const both = site.settings.relayPins;
  t.same(both[0], relayPins[0]);
  t.not(both[1], relayPins[0]);
  t.equal(site.settings.logPin, logPin);
  t.equal((await now()).tls.pin, relayPins[0], 'the relay is as it was');
  beginRelayIdentity(engine, site);
  t.same(site.settings.relayPins, both, 'done twice it is done once');
  t.same(new SiteFolder(engine, folder).settings, site.settings, 'site.json says so');

  finishRelayIdentity(engine, site);
  const { tls, logPin: newLogPin } = await now();
  t.same(site.settings.relayPins, [both[1]]);
  t.same([tls.pin, newLogPin], [both[1], site.settings.logPin]);
  t.notOk(existsSync(next));
  t.throws(() => finishRelayIdentity(engine, site), { code: 'key-missing' });
});

t.test('a profile is renewed, and never turned to another site or address', async (t) => {
  const { site, path } = newSite(t);
  const plc = { name: 'plc', roles: ['send'], zone: 'ot', to: [], groups: [] } as const;
  enrolDevice(engine, site, plc, { folder: path('plc'), profile: 'iot' });
  beginRelayIdentity(engine, site);
  const run = (line: string) => captured(t, () => main(line.split(' ')));
  const dir = `--dir ${site.path}`;
  const told = await run(`profile --zone ot --out ${path('plc')} ${dir}`);
  t.match(told, {
    code: 0,
    out: /config.yaml leads the devices of zone ot to https:\/\/10.0.0.1:3000 \(sha256.* or sha/,
  });
  t.same(readProfile(path('plc'), 'iot').relayPins, site.settings.relayPins);
  t.ok(existsSync(join(path('plc'), 'devices', 'plc', 'identity.json')), 'the device stays as it is');
  t.match(await run(`profile --zone it --out ${path('plc')} ${dir}`), { code: 1, err: /\[already-exists\]/ });
  t.match(await run(`profile --zone moon --out ${path('x')} ${dir}`), { code: 2 });
  t.match(await run(`profile --zone it --out ${path('it')} --json ${dir}`), { code: 0, out: /"ok":true.*:3001/ });
});

t.test('what the command says: which pins, and what to do next', async (t) => {
  const { site, folder } = newSite(t);
  const [old] = site.settings.relayPins;
  const run = (line: string) => captured(t, () => main(line.split(' ')));
  const begun = await run(`replace-relay --dir ${folder}`);
  t.match(begun.out, `it still is ${old}`);
  t.match(begun.out, /--finish --dir/);
  t.match(
    (await run(`replace-relay --json --dir ${folder}`)).out,
    /"finished":false,"relayPins":\["sha256\/.*","sha256/,
  );
  const finished = await run(`replace-relay --finish --dir ${folder}`);
  t.match(finished, { code: 0, out: /copy .*relay to the relay's host/ });
  t.notMatch(finished.out, old);
  const seed = readFileSync(join(folder, 'relay', 'identity-seed'), 'utf8').trim();
  t.notMatch(begun.out + finished.out, seed);
});
