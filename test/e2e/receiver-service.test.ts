/** The receiver as a service: what it tells a service manager, its figures, SIGHUP and SIGTERM. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { startRelay } from '../../relay/service.ts';
import { addProfile, figuresOf, lastJson, textOf, until } from '../fixtures/clients.ts';
import {
  endsWith,
  feed,
  INTERVAL_MS,
  introduceReceiver,
  linesOf,
  makePlant,
  type Plant,
  readings,
} from '../fixtures/flow.ts';
import { listenForNotices } from '../fixtures/notify-socket.ts';

t.setTimeout(120_000);

t.test('a service manager hears READY, signs of life while slots go on, RELOADING and STOPPING', async (t) => {
  const plant = await makePlant(t);
  const manager = await listenForNotices(t);
  const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '2000000' };
  const receiver = plant.receiver([], { env });
  await manager.heard(/^READY=1\|STATUS=connects to https:/);
  await manager.heard(/^STATUS=exchanges blocks with https:/);
  const lives = (): number => manager.messages().filter((line) => line === 'WATCHDOG=1').length;
  await until('three signs of life', () => lives() >= 3);
  t.match(receiver.stderr(), /WatchdogSec is 2 s, a slot may take 45\.1 s/);

  receiver.child.kill('SIGHUP');
  await manager.heard(/^RELOADING=1\|MONOTONIC_USEC=\d+$/);
  const after = manager.messages().findIndex((line) => line.startsWith('RELOADING'));
  await until('ready again', () =>
    manager
      .messages()
      .slice(after)
      .some((line) => line.startsWith('READY=1|STATUS=exchanges')),
  );

  await plant.stopRelay();
  await manager.heard(/^STATUS=.*\[relay-unreachable\]$/);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  t.match(manager.messages().at(-1), /^STOPPING=1\|STATUS=finishes/);
});

t.test('a loop that is stuck gives no sign of life', async (t) => {
  const plant = await makePlant(t);
  const manager = await listenForNotices(t);
  const env = { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '400000' };
  await introduceReceiver(plant);
  const receiver = plant.receiver(['--exec', '[ -n "$GHOSTPIPE_STATE" ] || sleep 1000'], { env });
  const lives = (): number => manager.messages().filter((line) => line === 'WATCHDOG=1').length;
  await until('a sign of life', () => lives() > 0);
  const sender = plant.sender(['--stdin']);
  feed(sender, ['never taken']);
  await until('the lease', () => plant.events.some(({ type }) => type === 'leased'));
  await sleep(600); // what was on its way when the command began
  const before = lives();
  await sleep(1500);
  t.equal(lives(), before, 'the command never ends, the loop stands');
  receiver.child.kill('SIGTERM');
  await sleep(1200); // a signal that comes sooner is taken for an echo of the first
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 1);
});

t.test('figures on loopback: what came, what failed, how old the last exchange is', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver(['--metrics', '0']);
  await until('the address', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  const sender = plant.sender(['--stdin']);
  feed(sender, readings(5));
  await until('the readings', () => linesOf(receiver.stdout()).length === 5, receiver.stderr);
  const figures = await figuresOf(receiver);
  t.match(figures, {
    records_total: 5,
    missing_records: 0,
    rejects_total: 0,
    failed_slots_total: 0,
    roster_version: 1,
  });
  t.ok(figures.blocks_total! >= 1 && figures.last_exchange_age_seconds! >= 0);
  const [, url] = /metrics at (http:\S+)/.exec(receiver.stderr())!;
  t.equal((await fetch(new URL('/', url))).status, 404);
  t.equal((await fetch(url!, { method: 'POST' })).status, 404);
  t.equal(
    (await fetch(url!)).headers.get('content-type'),
    'application/openmetrics-text; version=1.0.0; charset=utf-8',
  );

  const port = new URL(url!).port;
  const second = plant.receiver(['--metrics', port, '--json', '--state-dir', plant.path('second')]);
  await endsWith(t, second, 2);
  t.match(lastJson(second.stdout()), { code: 'usage', detail: /cannot be listened on \(EADDRINUSE\)/ });
  for (const address of ['0.0.0.0:9000', '10.0.0.1:9000', '[::]:9000', 'localhost:9000', '9000x', '99999']) {
    const refused = plant.receiver(['--metrics', address, '--json', '--state-dir', plant.path('second')]);
    await endsWith(t, refused, 2);
    t.match(
      lastJson(refused.stdout()),
      { code: 'usage', detail: /--metrics (listens on loopback only|takes)/ },
      address,
    );
  }
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
});

function devicePath(plant: Plant, name: string): string {
  return join(plant.config, 'devices', 'historian', name);
}

t.test('SIGHUP: address, key and roster are read again; what is broken is refused and the old stays', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver([]);
  await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  const sender = plant.sender(['--stdin']);
  const takes = async (reading: string): Promise<void> => {
    feed(sender, [reading]);
    await until(reading, () => receiver.stdout().includes(`${reading}\n`), receiver.stderr);
  };
  await takes('first');
  const stays = async (words: RegExp): Promise<void> => {
    const before = receiver.stderr().length;
    receiver.child.kill('SIGHUP');
    await until(`${words}`, () => words.test(receiver.stderr().slice(before)), receiver.stderr);
  };
  const configFile = join(plant.config, 'config.yaml');
  const config = textOf(configFile);
  writeFileSync(configFile, 'profiles: [');
  await stays(/the configuration stays as it was: .*config\.yaml: .*\[config-invalid\]/);
  writeFileSync(configFile, config);
  const apiKey = textOf(devicePath(plant, 'api-key'));
  rmSync(devicePath(plant, 'api-key'));
  await stays(/stays as it was: .*api-key.*\[key-missing\]/);
  writeFileSync(devicePath(plant, 'api-key'), apiKey, { mode: 0o600 });
  const identity = textOf(devicePath(plant, 'identity.json'));
  writeFileSync(devicePath(plant, 'identity.json'), textOf(join(plant.config, 'devices', 'plc-A1', 'identity.json')));
  await stays(/the device was did:paramant:\S+ and is now did:paramant:\S+: that takes a restart \[config-invalid\]/);
  writeFileSync(devicePath(plant, 'identity.json'), identity);
  await takes('second');

  writeFileSync(devicePath(plant, 'roster.json'), plant.site.issueRoster({ version: 3 }));
  await stays(/was read again: https:\/\/127.*, roster 3/);
  await takes('third');
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  t.equal(receiver.stdout(), 'first\nsecond\nthird\n');
});

t.test(
  'a relay with a new identity is refused and waited for; its pin comes by SIGHUP, its name from DNS',
  async (t) => {
    const plant = await makePlant(t);
    const { port } = plant.relay.listeners.find(({ zone }) => zone === 'it')!;
    addProfile(plant.config, 'it', plant.site, `https://localhost:${port}`, plant.relay.pin);
    const receiver = plant.receiver([]);
    await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
    const ports = plant.relay.listeners;
    await plant.stopRelay();
    await until('silence', () => receiver.stderr().includes('[relay-unreachable]'), receiver.stderr);
    const seedFile = plant.path('other-seed');
    writeFileSync(seedFile, Buffer.alloc(32, 7).toString('base64url'), { mode: 0o600 });
    const listeners = plant.site.config.listeners.map((each) => ({
      ...each,
      port: ports.find(({ zone }) => zone === each.zone)!.port,
    }));
    const other = await startRelay({ ...plant.site.config, seedFile, listeners }, { engine, onDelivery: () => {} });
    t.teardown(() => other.close());
    await until('the wrong key', () => receiver.stderr().includes('[pin-mismatch]'), receiver.stderr);
    for (const zone of ['ot', 'it']) {
      addProfile(
        plant.config,
        zone,
        plant.site,
        `https://localhost:${ports.find((each) => each.zone === zone)!.port}`,
        other.pin,
      );
    }
    receiver.child.kill('SIGHUP');
    const sender = plant.sender(['--stdin', '--once']);
    sender.child.stdin!.end('after all\n');
    await endsWith(t, sender, 0);
    receiver.child.kill('SIGTERM');
    await endsWith(t, receiver, 0);
    t.equal(receiver.stdout(), 'after all\n');
  },
);

t.test('a receiver that waits for its relay stops when asked, and begins when it comes', async (t) => {
  const plant = await makePlant(t);
  await plant.stopRelay();
  const early = plant.receiver(['--json', '--state-dir', plant.path('other')]);
  const patient = plant.receiver([]);
  for (const each of [early, patient])
    await until('the wait', () => each.stderr().includes('[relay-unreachable]'), each.stderr);
  early.child.kill('SIGTERM');
  await endsWith(t, early, 0);
  t.match(lastJson(early.stdout()), { ok: true, blocks: 0 });
  await plant.startRelay();
  await until('the receiver', () => patient.stderr().includes('waits for readings'), patient.stderr);
  patient.child.kill('SIGTERM');
  await endsWith(t, patient, 0);
});

t.test('two receivers do not share the marks of a device', async (t) => {
  const plant = await makePlant(t);
  const first = plant.receiver([]);
  await until('the first', () => first.stderr().includes('waits for readings'), first.stderr);
  const second = plant.receiver(['--json']);
  await endsWith(t, second, 3);
  t.match(lastJson(second.stdout()), { ok: false, code: 'spool-in-use', detail: /another process uses .*historian/ });
  first.child.kill('SIGKILL');
  await first.ended;
  const third = plant.receiver([]);
  await until('the third', () => third.stderr().includes('waits for readings'), third.stderr);
});

t.test('SIGTERM: the block at hand is committed and acknowledged first', async (t) => {
  const plant = await makePlant(t);
  const script = `[ -z "$GHOSTPIPE_STATE" ] || exit 0; cd '${plant.path()}'; touch begun; while [ ! -e go ]; do sleep 0.05; done; cat >> taken`;
  const receiver = plant.receiver(['--exec', script, '--json']);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, ['at hand']);
  await until(
    'the command',
    () => plant.events.some(({ type }) => type === 'leased') && textOf(plant.path('begun')) === '',
  );
  await until('the command', () => receiver.stderr() !== '' && readFileOrNull(plant.path('begun')) !== null);
  receiver.child.kill('SIGTERM');
  writeFileSync(plant.path('go'), '');
  await endsWith(t, receiver, 0);
  t.match(lastJson(receiver.stdout()), { ok: true, records: 1 });
  t.match(textOf(plant.path('taken')), /"data":"at hand"/);
  await until('the ack', () => plant.events.some(({ type }) => type === 'acked'));
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
});

function readFileOrNull(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

t.test('a receiver that was suspended makes up for no slot', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver(['--metrics', '0']);
  await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  const covers = async (): Promise<number> => (await figuresOf(receiver)).covers_total!;
  receiver.child.kill('SIGSTOP');
  await sleep(3000);
  const before = performance.now();
  receiver.child.kill('SIGCONT');
  const first = await covers();
  await sleep(1000);
  const later = await covers();
  const slots = (performance.now() - before) / INTERVAL_MS;
  const lanes = plant.site.roster.profile.lanesDown;
  t.ok(later - first <= lanes * (slots + 1), `${later - first} claims of ${lanes} lanes in the time of ${slots} slots`);
  const missed = (await figuresOf(receiver)).missed_slots_total!;
  t.ok(missed >= 28, `${missed} slots were missed in 30`);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
});
