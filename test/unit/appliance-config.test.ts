/** What `config` makes of cards: the files of a good one, and the safe state of those that are damaged. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { config } from '../../appliance/config.ts';
import { safePattern } from '../../appliance/leds.ts';
import { readOutcome } from '../../appliance/outcome.ts';
import { safe } from '../../appliance/safe.ts';
import { CARD_FILES } from '../../protocol/site-config.ts';
import { loadConfig } from '../../relay/config.ts';
import { BUILT_MS, cardOf, type Device, makeApplianceSite, makeDevice, settingsOf } from '../fixtures/appliance.ts';
import { captured } from '../fixtures/command.ts';

const files = Object.values(CARD_FILES).map(({ name }) => name);
const { config: siteJson, roster: rosterJson, operatorPin, seed } = CARD_FILES;

/** A device with a good card of a site; the site's folder is `site`, another operator's is `other`. */
function goodDevice(t: Test) {
  const folder = t.testdir();
  const site = makeApplianceSite(join(folder, 'site'), 21_000);
  const other = makeApplianceSite(join(folder, 'other'), 21_000);
  const device = makeDevice(folder, cardOf(site, settingsOf(site)), join(folder, 'store'));
  const cardFile = ({ name }: { readonly name: string }) => join(device.card, name);
  const read = (file: { readonly name: string }) => readFileSync(cardFile(file));
  const write = (file: { readonly name: string }, bytes: Uint8Array | string) => writeFileSync(cardFile(file), bytes);
  return { folder, site, other, device, read, write };
}

function configure(t: Test, { options }: Device) {
  return captured(t, () => config(options));
}

t.test('a good card becomes a configuration that the relay takes', async (t) => {
  const { folder, device } = goodDevice(t);
  t.match(await configure(t, device), { code: 0, out: /relay of site plant-1, configuration 1, roster 1/ });
  const relay = await loadConfig(join(device.run, 'ghostpipe/relay/relay.yaml'), {});
  t.same(relay.store, { kind: 'tmpfs', slots: 5, path: device.store }, 'its own slot is beside those of the site');
  t.equal(relay.appliance!.synchronized, join(folder, 'synchronized'));
  t.match(JSON.parse(readFileSync(relay.appliance!.statement, 'utf8')), { board: 'vm', buildMs: BUILT_MS });
  t.match(readFileSync(join(device.run, 'ghostpipe/nftables.conf'), 'utf8'), /ip saddr 192.0.2.5 udp sport 123/);
  t.equal(relay.useNotice, 'Authorised use only.');
  t.notOk(existsSync(join(device.run, 'ghostpipe/safe')));

  rmSync(join(device.card, siteJson.name));
  await configure(t, device);
  t.notOk(existsSync(join(device.run, 'ghostpipe/relay')), 'nothing of an earlier run stays');
  t.same(readdirSync(join(device.run, 'ghostpipe')).sort(), ['nftables.conf', 'outcome.json', 'safe']);
});

type Good = ReturnType<typeof goodDevice>;

/** A byte of a text, changed; what it belongs to stays as long as it was. */
function flipped(bytes: Buffer, needle: string): Buffer {
  const at = bytes.indexOf(needle) + needle.length;
  const copy = Buffer.from(bytes);
  copy[at] = copy[at] === 0x35 ? 0x36 : 0x35;
  return copy;
}

const DAMAGES: Readonly<Record<string, readonly [string, RegExp, (good: Good) => void]>> = {
  'no card': ['card-missing', /missing or empty/, ({ device }) => rmSync(device.card, { recursive: true })],
  'an empty card': [
    'card-missing',
    /missing or empty/,
    ({ device }) => {
      for (const file of files) rmSync(join(device.card, file));
    },
  ],
  'no configuration': [
    'card-invalid',
    /site.json is missing/,
    ({ device }) => rmSync(join(device.card, siteJson.name)),
  ],
  'no seed': ['card-invalid', /identity.seed is missing/, ({ device }) => rmSync(join(device.card, seed.name))],
  'half a configuration': [
    'card-invalid',
    /site.json: /,
    ({ read, write }) => write(siteJson, read(siteJson).subarray(0, 2000)),
  ],
  'a configuration of zeros': [
    'card-invalid',
    /site.json: /,
    ({ read, write }) => write(siteJson, read(siteJson).fill(0)),
  ],
  'a huge configuration': [
    'card-invalid',
    /has 200000 bytes, the limit is/,
    ({ write }) => write(siteJson, 'x'.repeat(200_000)),
  ],
  'a changed address': [
    'signature-invalid',
    /site.json: the signatures of the site config do not verify/,
    ({ read, write }) => write(siteJson, flipped(read(siteJson), '"address":"127.0.0.')),
  ],
  'a changed version': [
    'signature-invalid',
    /site.json/,
    ({ read, write }) => write(siteJson, Buffer.from(read(siteJson).toString().replace('"version":1', '"version":2'))),
  ],
  'an unknown key': [
    'card-invalid',
    /unknown key "boardd"/,
    ({ read, write }) => write(siteJson, read(siteJson).toString().replace('"board"', '"boardd"')),
  ],
  "another operator's configuration": [
    'operator-mismatch',
    /site.json: the operator key is/,
    ({ other, write }) => write(siteJson, cardOf(other, settingsOf(other)).get(siteJson.name)!),
  ],
  "another operator's roster": [
    'operator-mismatch',
    /roster.json/,
    ({ other, write }) => write(rosterJson, other.rosterBytes),
  ],
  'an older roster': [
    'roster-older',
    /has version 1, 2 was seen/,
    ({ site, read, write }) => {
      const older = read(rosterJson);
      site.commit(site.draft(site.roster));
      for (const [name, bytes] of cardOf(site, settingsOf(site))) write({ name }, bytes);
      write(rosterJson, older);
    },
  ],
  'a pin that is none': ['card-invalid', /operator.pin/, ({ write }) => write(operatorPin, 'sha256/none')],
  'half a seed': ['card-invalid', /it holds 16 bytes, a seed has 32/, ({ write }) => write(seed, 'A'.repeat(22))],
  'a seed that is a folder': [
    'card-invalid',
    /not a regular file/,
    ({ device }) => {
      rmSync(join(device.card, seed.name));
      mkdirSync(join(device.card, seed.name));
    },
  ],
  'another board': [
    'board-mismatch',
    /the image is for pi4, the configuration for vm/,
    ({ folder }) => {
      const path = join(folder, 'image.json');
      writeFileSync(path, readFileSync(path, 'utf8').replace('"vm"', '"pi4"'));
    },
  ],
  'a network adapter that is not there': [
    'interface-missing',
    /no network interface called eth0; there are lo/,
    ({ folder }) => rmSync(join(folder, 'net/eth0'), { recursive: true }),
  ],
  'an image that says nothing of itself': [
    'file-invalid',
    /image.json does not exist/,
    ({ folder }) => rmSync(join(folder, 'image.json')),
  ],
};

t.test('damaged cards give the safe state, and its reason', async (t) => {
  for (const [name, [code, words, damage]] of Object.entries(DAMAGES)) {
    await t.test(name, async (t) => {
      const good = goodDevice(t);
      const { device } = good;
      damage(good);
      const { code: exit, out } = await configure(t, device);
      t.equal(exit, 0, 'the safe state is what was to be done');
      t.match(out, /^ghostpipe: safe state: /);
      const outcome = readOutcome(device.run);
      t.match(outcome, { state: 'safe', code, fact: words });
      t.ok(existsSync(join(device.run, 'ghostpipe/safe')));
      for (const path of ['ghostpipe/configured', 'ghostpipe/relay', 'ghostpipe/self', 'systemd/network']) {
        t.notOk(existsSync(join(device.run, path)), path);
      }
      const rules = readFileSync(join(device.run, 'ghostpipe/nftables.conf'), 'utf8');
      t.notMatch(rules.replace(/[io]ifname "lo" accept/g, ''), /accept/, 'nothing passes');
      const { out: shown } = await captured(t, () => safe(['--run', device.run, '--once']));
      t.equal(shown, out, 'the console says the same again');
      t.ok(safePattern(code).length > 1);
    });
  }
});
