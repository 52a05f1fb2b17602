/** Who gets a slot: the same block needs one only once, quotas keep room for others, and nobody waits beside a free one. */
import t from 'tap';
import { itemOf } from '../../protocol/control.ts';
import type { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import type { Conduit } from '../../relay/conduit.ts';
import { TOMBSTONE_MS } from '../../relay/store/ledger.ts';
import type { RelayClient } from '../../tools/lib/relay-client.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { endsWith, feed, INTERVAL_MS, introduceReceiver, makePlant } from '../fixtures/flow.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { openAs, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { makeSite } from '../fixtures/site.ts';

t.setTimeout(60_000);

const BLOCK = 65_536;

async function accepted(client: RelayClient, block: Uint8Array): Promise<{ id: string; repeated: boolean }> {
  const { transferId, repeated } = itemOf(await client.submit(block), 'accepted')!;
  return { id: toHex(transferId), repeated };
}

t.test('the same block again: side by side, while held, after it burned, until it is forgotten', async (t) => {
  let now = 0;
  const site = smallPlant(t.testdir(), { store: { slots: 3 } });
  const { registered, conduit } = await runRelay(t, site, { now: () => now });
  const [plc, plc2, historian] = [site.device('plc'), site.device('plc2'), site.device('historian')];
  const sender = await registered(plc);
  const other = await registered(plc2);
  const reader = await registered(historian);
  const block = sealTo(plc, [historian]);

  const both = await Promise.all([accepted(sender, block), accepted(sender, block)]);
  const { id } = both[0];
  t.same(both.map(({ repeated }) => repeated).sort(), [false, true]);
  t.equal(both[1].id, id, 'one transfer');
  t.same(conduit.store.count(), { free: 2, used: 1, burning: 0 }, 'in one slot');
  t.same(await accepted(sender, block), { id, repeated: true });

  const foreign = await accepted(other, block);
  t.notOk(foreign.repeated, 'of another sender it is another transfer');
  t.not(foreign.id, id);
  await accepted(sender, sealTo(plc, [historian]));
  t.same(conduit.store.count(), { free: 0, used: 3, burning: 0 });
  t.same(await accepted(sender, block), { id, repeated: true }, 'what is known needs no slot');

  let items = (await reader.claim([sessionItem(1)], BLOCK)).items;
  for (let lease = itemOf(items, 'lease'); lease; lease = itemOf(items, 'lease')) {
    const reject = { type: 'reject', transferId: lease.transferId, code: 'replay' } as const;
    items = (await reader.claim([sessionItem(1), reject], BLOCK)).items;
  }
  await until('free slots', () => conduit.store.count().free === 3);
  now = TOMBSTONE_MS - 1;
  t.same(await accepted(sender, block), { id, repeated: true }, 'it has burned, and is remembered');
  t.equal(conduit.store.count().free, 3);
  now = TOMBSTONE_MS;
  const anew = await accepted(sender, block);
  t.notOk(anew.repeated);
  t.not(anew.id, id);
});

t.test('a zone leaves the slots that are kept for others, and is told when to come again', async (t) => {
  const calls = ['inbound', 'claim', 'ack', 'register'];
  const site = makeSite({
    directory: t.testdir(),
    devices: [
      { name: 'plc', roles: ['send'], zone: 'ot' },
      { name: 'plc2', roles: ['send'], zone: 'ot' },
      { name: 'erp', roles: ['send'], zone: 'it' },
      { name: 'historian', roles: ['receive'], zone: 'it' },
    ],
    routes: ['plc', 'plc2', 'erp'].map((from) => ({ from, to: ['historian'] })),
    config: {
      listeners: [{ zone: 'ot', address: '127.0.0.1', port: 0, tls: 'pq', calls }],
      store: { slots: 4 },
      limits: { slotsPerSender: 2, slotsPerZone: { ot: 3 } },
    },
    intervalMs: 2500,
  });
  const { client, ask } = await runRelay(t, site);
  const historian = site.device('historian');
  const clients = new Map<string, RelayClient>();
  for (const { name } of site.roster.devices) {
    const made = client(site.device(name), 'ot');
    await made.register(site.device(name).registration);
    clients.set(name, made);
  }
  const submit = (name: string) => clients.get(name)!.submit(sealTo(site.device(name), [historian]));
  for (const name of ['plc', 'plc', 'plc2']) await submit(name);
  await t.rejects(submit('plc'), { code: 'quota-exceeded', detail: 'this device uses 2 slots, it may use 2' });
  await t.rejects(submit('plc2'), { code: 'quota-exceeded', detail: 'zone ot uses 3 slots, it may use 3' });
  const { apiKey } = site.device('plc2');
  const headers = { 'content-type': 'application/octet-stream', authorization: `Bearer ${apiKey}` };
  const body = sealTo(site.device('plc2'), [historian]);
  const refused = await ask('ot', { method: 'POST', path: '/v2/inbound', headers, body });
  t.equal(refused.status, 503);
  t.equal(refused.headers['retry-after'], '3', 'the interval, in whole seconds');
  await submit('erp');
  await t.rejects(submit('erp'), { code: 'slots-full' });
});

/** Notes each refusal of a slot while one is free. */
function watchAdmissions({ deliveries, store }: Conduit): { admitted: number; refused: number; beside: Problem[] } {
  const seen = { admitted: 0, refused: 0, beside: [] as Problem[] };
  const admit = deliveries.admit.bind(deliveries);
  deliveries.admit = (...call) => {
    const { free } = store.count();
    try {
      const slot = admit(...call);
      seen.admitted += 1;
      return slot;
    } catch (thrown) {
      seen.refused += 1;
      if (free > 0) seen.beside.push(thrown as Problem);
      throw thrown;
    }
  };
  return seen;
}

t.test('never a refusal while a slot is free', async (t) => {
  const site = smallPlant(t.testdir(), { store: { slots: 4 } });
  const { registered, conduit } = await runRelay(t, site);
  const [plc, plc2, historian] = [site.device('plc'), site.device('plc2'), site.device('historian')];
  const senders = [[await registered(plc), plc] as const, [await registered(plc2), plc2] as const];
  const reader = await registered(historian);
  const seen = watchAdmissions(conduit);
  let sending = 8;
  const send = async ([client, device]: (typeof senders)[number]) => {
    for (let i = 0; i < 40; i++) {
      await client.submit(sealTo(device, [historian])).catch((problem: Problem) => {
        if (problem.code !== 'slots-full' && problem.code !== 'quota-exceeded') throw problem;
      });
    }
    sending -= 1;
  };
  const read = async () => {
    while (sending > 0) {
      const { block, items } = await reader.claim([sessionItem(1)], BLOCK);
      const lease = itemOf(items, 'lease');
      if (!lease) continue;
      const { ackSecret } = openAs(site, historian, block);
      await reader.ack([{ type: 'ack', transferId: lease.transferId, ackSecret }]);
    }
  };
  await Promise.all([...Array.from({ length: 8 }, (_, i) => send(senders[i % 2]!)), read()]);
  t.equal(seen.admitted + seen.refused, 320);
  t.ok(seen.refused > 0, `${seen.admitted} got a slot, ${seen.refused} did not`);
  t.same(seen.beside, []);
});

t.test('a sender that finds no room asks once in each slot, and delivers all when there is', async (t) => {
  const plant = await makePlant(t, { site: { config: { store: { slots: 1 } } } });
  await introduceReceiver(plant);
  const seen = watchAdmissions(plant.relay.conduit!);
  const sender = plant.sender(['--stdin', '--json']);
  const begin = performance.now();
  feed(sender, ['one', 'two', 'three']);
  await until('refusals', () => seen.refused >= 8, sender.stderr);
  const slots = (performance.now() - begin) / INTERVAL_MS;
  t.ok(seen.admitted + seen.refused <= slots + 2, `${seen.refused} refusals in ${slots.toFixed(1)} slots`);
  const receiver = plant.receiver(['--count', '3']);
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  await endsWith(t, receiver, 0);
  t.equal(receiver.stdout(), 'one\ntwo\nthree\n');
  t.match(lastJson(sender.stdout()), { delivered: 3, undelivered: 0 });
});
