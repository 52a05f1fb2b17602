/** How the commands wait, stop and are refused, with a real relay and processes. */
import { writeFileSync } from 'node:fs';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { signDocument } from '../../protocol/signed.ts';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { endsWith, feed, introduceReceiver, linesOf, makePlant, readings } from '../fixtures/flow.ts';

t.setTimeout(120_000);

t.test('a sender without a receiver waits, says why, and gives nothing away', async (t) => {
  const plant = await makePlant(t);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, readings(3));
  await until('the reason', () => sender.stderr().includes('receiver historian [no-recipient]'), sender.stderr);
  t.strictSame(plant.events, []);
  const receiver = plant.receiver(['--count', '3']);
  await endsWith(t, receiver, 0);
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
});

t.test('a block that dies of age at the relay is packed anew', async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const sender = plant.sender(['--stdin', '--ttl', '1', '--json']);
  feed(sender, readings(3));
  sender.child.stdin!.end();
  await until('the first block to expire', () => plant.events.some(({ type }) => type === 'expired'));
  const receiver = plant.receiver(['--count', '3']);
  await endsWith(t, receiver, 0);
  await endsWith(t, sender, 0);
  t.strictSame(linesOf(receiver.stdout()), readings(3));
});

t.test('SIGTERM lets what was taken in be delivered first', async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, readings(4));
  await until('a block at the relay', () => plant.events.some(({ type }) => type === 'accepted'), sender.stderr);
  sender.child.kill('SIGTERM');
  const receiver = plant.receiver(['--count', '4']);
  await endsWith(t, receiver, 0);
  await endsWith(t, sender, 0);
  t.match(lastJson(sender.stdout()), { ok: true, records: 4, delivered: 4 });
});

t.test('a wrong API key gets the answer of strangers', async (t) => {
  const plant = await makePlant(t);
  writeFileSync(plant.path('key'), `pgp_${'A'.repeat(43)}\n`, { mode: 0o600 });
  const sender = plant.sender(['--stdin', '--json', '--key-file', plant.path('key')]);
  const receiver = plant.receiver(['--json', '--key-file', plant.path('key')]);
  for (const client of [sender, receiver]) {
    await endsWith(t, client, 1);
    t.match(lastJson(client.stdout()), { ok: false, code: 'not-available' });
  }
});

t.test('a revoked device is told so and stops', async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, ['taken in before']);
  await until('a block at the relay', () => plant.events.some(({ type }) => type === 'accepted'), sender.stderr);
  const { siteId, operator } = plant.site;
  const { did } = plant.site.device('plc-A1');
  const revocation = { v: 1, siteId, serial: 1, by: 'operator', did, what: 'device', issuedMs: 0 } as const;
  const { port } = plant.relay.listeners.find(({ zone }) => zone === 'management')!;
  const management = new RelayClient({ url: `https://127.0.0.1:${port}`, pins: [plant.relay.pin] });
  t.teardown(() => management.close());
  await management.revoke(signDocument(engine, operator, REVOCATION, revocation));
  await endsWith(t, sender, 1);
  t.match(lastJson(sender.stdout()), { ok: false, code: 'revoked', undelivered: 1 });
});

t.test('a receiver whose reader went away stops and leaves the block at the relay', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver([]);
  receiver.child.stdout!.destroy();
  const sender = plant.sender(['--stdin']);
  feed(sender, ['for nobody']);
  await endsWith(t, receiver, 1);
  t.match(receiver.stderr(), /\[sink-failed\]/);
  const second = plant.receiver(['--count', '1']);
  await endsWith(t, second, 0);
  t.equal(second.stdout(), 'for nobody\n');
});
