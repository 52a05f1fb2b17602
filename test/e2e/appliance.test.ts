/** A site on a card, from the operator's command to a relay that has proved itself; and relays that cannot. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { main as appliance } from '../../appliance/main.ts';
import { configHash } from '../../protocol/boot-statement.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { fromBase64Url, fromHex, toBase64Url } from '../../protocol/text.ts';
import { parseTlogProof } from '../../protocol/tlog-proof.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { image } from '../../tools/provision/image.ts';
import {
  CARD_SLICE,
  cardOf,
  type Device,
  makeApplianceSite,
  makeDevice,
  ROOT_HASH,
  readCardFiles,
  SITE_YAML,
  settingsOf,
  writeImage,
} from '../fixtures/appliance.ts';
import { captured } from '../fixtures/command.ts';
import { ask } from '../fixtures/relay.ts';
import { blocksFolder, spawnRelay } from '../fixtures/relay-process.ts';

const SABOTAGED = join(import.meta.dirname, '..', 'fixtures', 'sabotaged-appliance-relay.ts');
/** Each test has ports of its own, beside those that the system gives. */
let port = 21_000 + (process.pid % 1000) * 8;

t.test('provisioned, rendered, started, proved', async (t) => {
  const { folder, run } = workshop(t);
  t.match(await captured(t, () => run(join(folder, 'card.img'))), { code: 0, out: /configuration 1, hash / });
  const card = readCardFiles(join(folder, 'card.img'));
  const device = makeDevice(join(folder, 'device'), card, blocksFolder(t));
  const seed = fromBase64Url(Buffer.from(card.get('identity.seed')!).toString().trim());
  const config = await captured(t, () => appliance(['config', ...device.options]));
  t.equal(
    config.out,
    'Authorised use only.\nghostpipe: relay of site plant-1, configuration 1, roster 1\n',
    config.err,
  );
  t.equal(statSync(join(device.run, 'ghostpipe/relay/identity-seed')).mode & 0o777, 0o600);
  t.equal(statSync(join(device.run, 'ghostpipe/self')).mode & 0o777, 0o700);
  t.match(readFileSync(join(device.run, 'systemd/network/10-ghostpipe-0.network'), 'utf8'), 'Address=127.0.0.1/8');
  t.match(readFileSync(join(device.run, 'systemd/timesyncd.conf.d/ghostpipe.conf'), 'utf8'), 'NTP=192.0.2.5\n');
  t.ok(existsSync(join(device.run, 'ghostpipe/configured')));

  const { place, client } = await startRelay(t, device);
  const before = await captured(t, () => appliance(['ready', '--run', device.run, '--once']));
  t.equal(before.out, 'ghostpipe: ready\n', 'a block went through, and the log has it');
  t.equal(before.code, 0);
  const health = (await client.health()) as { status: string; registeredDevices: number };
  t.match(health, { status: 'ready', registeredDevices: 0 }, 'self is no device of the site');

  const { extra } = parseTlogProof(await client.logCall('/v2/ct/epoch', 65_536));
  const { event } = verifyEpoch(engine, extra!, place.logPin);
  t.equal(event.obj.image, toBase64Url(fromHex(ROOT_HASH, 32)), 'leaf 0 names the root that runs');
  t.same(event.obj.config, { hash: configHash(engine, seed, card.get('site.json')!), version: 1 });
  t.equal(event.tq, 'build');
});

t.test('a relay that has no self-test yet is not ready, and says so', async (t) => {
  const device = await configured(t);
  const { place } = await startRelay(t, device);
  const { port } = place.listeners.find(({ zone }) => zone === 'management')!;
  const { status, body } = await ask({ host: '127.0.0.1', port, pins: [place.pin] }, { path: '/health' });
  t.equal(status, 503);
  t.match(body.toString(), 'no self-test has passed since the start');
});

t.test('relays that do not do their work', async (t) => {
  const faults = {
    twice: /not ready: the relay gave a block a second time after its acknowledgement/,
    'no-log': /not ready: the relay took a block and gave no log receipt/,
    deaf: /not ready: the relay answered without "lease"/,
    full: /not ready: .*\[slots-full\]/,
  };
  for (const [fault, words] of Object.entries(faults)) {
    await t.test(fault, async (t) => {
      const device = await configured(t);
      await startRelay(t, device, fault);
      const { code, out } = await captured(t, () => appliance(['ready', '--run', device.run, '--once']));
      t.match(out, words);
      t.equal(code, 1);
    });
  }
});

t.test('in the safe state a verified card still has its status page', async (t) => {
  const { folder, site } = workshop(t);
  const { appliance: settings, relay } = settingsOf(site);
  const listeners = (relay.listeners as { readonly zone: string }[]).map((listener) =>
    listener.zone === 'management'
      ? { ...listener, calls: ['register', 'health', 'status-page', 'metrics'] }
      : listener,
  );
  const card = cardOf(site, { appliance: { ...settings, board: 'pi4' }, relay: { ...relay, listeners } });
  const device = makeDevice(join(folder, 'device'), card, blocksFolder(t));
  const { out } = await captured(t, () => appliance(['config', ...device.options]));
  t.match(out, 'safe state: the image is for vm, the configuration for pi4 [board-mismatch]');
  t.notOk(existsSync(join(device.run, 'ghostpipe/self')), 'nobody tests a relay that carries nothing');

  const { place } = await startRelay(t, device);
  t.same(
    place.listeners.map(({ zone }) => zone),
    ['management'],
  );
  const peer = { host: '127.0.0.1', port: place.listeners[0]!.port, pins: [place.pin] };
  const health = await ask(peer, { path: '/health' });
  t.equal(health.status, 503);
  t.match(health.body.toString(), 'the image is for vm, the configuration for pi4');
  t.match((await ask(peer, { path: '/' })).body.toString(), 'the configuration for pi4');
  t.equal((await ask(peer, { path: '/metrics' })).status, 404, 'no more than why');
});

t.test('self reaches nobody, and nobody but self gets its slot', async (t) => {
  const device = await configured(t);
  const self = JSON.parse(readFileSync(join(device.run, 'ghostpipe/relay/self.json'), 'utf8'));
  const { place } = await startRelay(t, device);
  const apiKey = readFileSync(join(device.run, 'ghostpipe/self/api-key'), 'utf8').trim();
  const management = place.listeners.find(({ zone }) => zone === 'management')!;
  const client = new RelayClient({ url: `https://127.0.0.1:${management.port}`, pins: [place.pin], apiKey });
  t.teardown(() => client.close());
  const grant = JSON.parse(readFileSync(join(device.run, 'ghostpipe/self/grant.json'), 'utf8'));
  t.equal(grant.signed.did, self.did);
  const forged = { identity: {}, grant: { ...grant, signed: { ...grant.signed, name: 'other' } }, keyStatement: {} };
  await t.rejects(client.register(forged), { code: 'not-available' }, 'another grant of its own DID is not taken');
});

t.test('an image stays as it was when it cannot be written, or is none of ours', async (t) => {
  const { folder, run } = workshop(t);
  const file = join(folder, 'card.img');
  const yaml = join(folder, 'site.yaml');
  const image = (...words: string[]) => captured(t, () => run(...words));

  writeFileSync(join(folder, 'none.img'), 'no image');
  t.match(await image(join(folder, 'none.img')), { code: 3, err: /0 partitions with the label GHOSTPIPE/ });
  writeImage(join(folder, 'small.img'), 'mbr', [{ ...CARD_SLICE, sectors: 64 }]);
  t.match(await image(join(folder, 'small.img')), { code: 3, err: /GHOSTPIPE has 32768 bytes/ });

  const before = readFileSync(file);
  writeFileSync(yaml, SITE_YAML.replace('ntp:', 'ntpp:'));
  t.match(await image(file), { code: 3, err: /site.yaml:4: unknown key "ntpp"/ });
  writeFileSync(yaml, SITE_YAML.replace('127.0.0.1/8', '127.0.0.2/8'));
  t.match(await image(file), { code: 3, err: /site.yaml:3: the relay listens in zone ot on 127.0.0.1/ });
  writeFileSync(yaml, SITE_YAML);
  const { PATH } = process.env;
  process.env.PATH = join(folder, 'nowhere');
  t.match(await image(file), { code: 3, err: /mformat is not installed: apt-get install mtools/ });
  process.env.PATH = PATH;
  t.ok(readFileSync(file).equals(before));

  t.match(await image(file), { code: 0, out: /configuration 2/ }, 'a version that was signed is not signed again');
  t.match(await image(file, '--json'), { code: 0, out: /"version":3/ });
  t.equal(statSync(file).mode & 0o777, 0o600);
  const seed = readCardFiles(file).get('identity.seed')!;
  t.equal(readFileSync(file).toString('latin1').split(Buffer.from(seed).toString().trim()).length, 2, 'no older copy');
  execFileSync('mdir', ['-i', `${file}@@${CARD_SLICE.start * 512}`, '::']);
});

/** A site's folder with an image beside it, and the command that writes the site into an image. */
function workshop(t: Test) {
  port += 4;
  const folder = t.testdir({ 'site.yaml': SITE_YAML });
  const site = makeApplianceSite(join(folder, 'site'), port);
  writeImage(join(folder, 'card.img'), 'mbr', [CARD_SLICE]);
  const words = ['--config', join(folder, 'site.yaml'), '--dir', join(folder, 'site')];
  return { folder, site, run: (...more: string[]) => image([...more, ...words]) };
}

/** A device after its `config`, with a card that no image was needed for. */
async function configured(t: Test): Promise<Device> {
  const { folder, site } = workshop(t);
  const device = makeDevice(join(folder, 'device'), cardOf(site, settingsOf(site)), blocksFolder(t));
  const { out } = await captured(t, () => appliance(['config', ...device.options]));
  t.match(out, /relay of site plant-1/);
  return device;
}

/** The relay of the rendered folder, and a client of its management listener. */
async function startRelay(t: Test, { run }: Device, fault?: string) {
  const options = fault === undefined ? {} : { program: SABOTAGED, env: { FAULT: fault } };
  const place = await spawnRelay(t, join(run, 'ghostpipe/relay/relay.yaml'), options).ready;
  const { port } = place.listeners.find(({ zone }) => zone === 'management')!;
  const client = new RelayClient({ url: `https://127.0.0.1:${port}`, pins: [place.pin] });
  t.teardown(() => client.close());
  return { place, client };
}
