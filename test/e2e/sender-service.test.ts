/** The sender as a service: what it tells a service manager, its figures, a new key by SIGHUP, --check, its rhythm. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { GRANT } from '../../protocol/grant.ts';
import { apiKeyHash } from '../../protocol/identity.ts';
import { signDocument } from '../../protocol/signed.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { writeCredentials } from '../../tools/lib/device.ts';
import { figuresOf, lastJson, until } from '../fixtures/clients.ts';
import { endsWith, feed, INTERVAL_MS, introduceReceiver, linesOf, makePlant, readings } from '../fixtures/flow.ts';
import { listenForNotices } from '../fixtures/notify-socket.ts';
import { seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);

/** Whether anything was written to the spool in `folder`. */
function hasSegment(folder: string): boolean {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.some((name) => /segment-/.test(name) && statSync(join(folder, name)).size > 0);
}

t.test('a service manager hears READY before the relay is there, signs of life, and STOPPING', async (t) => {
  const plant = await makePlant(t);
  await plant.stopRelay();
  const manager = await listenForNotices(t);
  const sender = plant.sender(['--stdin'], { env: { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: '2000000' } });
  await manager.heard(/^READY=1\|STATUS=connects to https:/);
  await manager.heard(/^STATUS=.*\[relay-unreachable\]$/);
  await plant.startRelay();
  await manager.heard(/^STATUS=no key is known yet of receiver historian \[no-recipient\]$/);
  plant.receiver([]);
  await manager.heard(/^STATUS=exchanges blocks with https:/);
  await until('signs of life', () => manager.messages().filter((line) => line === 'WATCHDOG=1').length >= 3);
  sender.child.kill('SIGTERM');
  await endsWith(t, sender, 0);
  await manager.heard(/^STOPPING=1/);
});

t.test('readings are taken while the relay is away, also over a kill', async (t) => {
  const plant = await makePlant(t);
  await plant.stopRelay();
  const folder = plant.path('spool');
  const sender = plant.sender(['--stdin', '--spool', folder]);
  await until('the sender waits', () => sender.stderr().includes('[relay-unreachable]'));
  feed(sender, readings(5));
  await until('the readings stand in the spool', () => hasSegment(folder), sender.stderr);
  sender.child.kill('SIGKILL');
  await sender.ended;
  await plant.startRelay();
  const receiver = plant.receiver([]);
  const next = plant.sender(['--stdin', '--spool', folder]);
  next.child.stdin!.end('last\n');
  await until('the readings', () => receiver.stdout().includes('last'), next.stderr);
  await endsWith(t, next, 0);
  t.strictSame(linesOf(receiver.stdout()), [...readings(5), 'last']);
});

t.test('a new API key by SIGHUP costs no slot and no reading; figures tell', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver([]);
  await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  const sender = plant.sender(['--stdin', '--metrics', '0', '--json']);
  feed(sender, readings(3));
  await until('the readings', () => linesOf(receiver.stdout()).length === 3, sender.stderr);
  await until('the receipts', () => sender.stderr().includes('metrics at'));

  const { siteId, operator } = plant.site;
  const { did, name, roles, zone } = plant.site.device('plc-A1');
  const apiKey = `pgp_${toBase64Url(seedOf('a new key'))}`;
  const fields = {
    v: 1 as const,
    siteId,
    serial: 2,
    did,
    name,
    roles,
    zone,
    apiKeyHash: apiKeyHash(engine, apiKey),
    issuedMs: 0,
  };
  const grant = signDocument(engine, operator, GRANT, fields);
  writeCredentials(join(plant.config, 'devices', 'plc-A1'), { grant, apiKey, rosterBytes: plant.site.rosterBytes });
  const failedBefore = (await figuresOf(sender)).failed_slots_total;
  sender.child.kill('SIGHUP');
  await until('the reload', () => sender.stderr().includes('the configuration was read again'), sender.stderr);
  feed(sender, ['by the new key']);
  await until('the reading', () => receiver.stdout().includes('by the new key'), sender.stderr);
  await until('the receipts', () => plant.events.filter(({ type }) => type === 'acked').length >= 2);
  const figures = await figuresOf(sender);
  t.equal(figures.failed_slots_total, failedBefore);
  t.match(figures, { records_total: 4, roster_version: 1, dropped_total: 0, lost_records_total: 0 });
  t.ok(figures.blocks_total! > 1 && figures.spool_limit_bytes! > figures.spool_bytes!);
  t.ok('backlog_records' in figures && 'backlog_age_seconds' in figures && 'last_exchange_age_seconds' in figures);
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
});

t.test('--check says what the sender finds, also while it runs', async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const sender = plant.sender(['--stdin']);
  await until('a block', () => plant.events.some(({ type }) => type === 'accepted'), sender.stderr);
  const check = plant.sender(['--check', '--stdin', '--json']);
  await endsWith(t, check, 0);
  const found = lastJson(check.stdout()) as { ok: boolean; checks: { check: string; detail: string }[] };
  t.equal(found.ok, true);
  t.match(found.checks.at(-1), { check: 'route', detail: 'historian' });
  const other = plant.sender(['--check', '--stdin', '--to', 'nobody']);
  await endsWith(t, other, 1);
  t.match(other.stdout(), /^FAIL {2}route: .*nobody/m);
  sender.child.kill('SIGTERM');
  await endsWith(t, sender, 0);
});

t.test('a sender that was suspended makes up for no slot', async (t) => {
  const plant = await makePlant(t, { config: { store: { kind: 'slab', slots: 64 } } });
  const receiver = plant.receiver([]);
  const sender = plant.sender(['--stdin']);
  const accepted = (): number => plant.events.filter(({ type }) => type === 'accepted').length;
  await until(
    'a few blocks',
    () => accepted() >= 3,
    () => sender.stderr() + receiver.stderr(),
  );
  sender.child.kill('SIGSTOP');
  await sleep(3000);
  const before = { count: accepted(), ms: performance.now() };
  sender.child.kill('SIGCONT');
  await sleep(1000);
  const count = accepted() - before.count;
  const slots = (performance.now() - before.ms) / INTERVAL_MS;
  t.ok(count > 0 && count <= slots + 2, `${count} blocks in the time of ${slots} slots`);
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
});
