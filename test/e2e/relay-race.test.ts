/** Eight readers of one group race for blocks that one of them may read. */
import t from 'tap';
import { itemOf } from '../../protocol/control.ts';
import { runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { makeSite } from '../fixtures/site.ts';

const READERS = ['r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8'];
const ROUNDS = 200;
const BLOCK = 65_536;

t.test('exactly one of eight gets each one-view block, in each of 200 rounds', async (t) => {
  const site = makeSite({
    directory: t.testdir(),
    devices: [
      { name: 'plc', roles: ['send'], zone: 'ot' },
      ...READERS.map((name) => ({ name, roles: ['receive' as const], zone: 'it' as const })),
    ],
    routes: [{ from: 'plc', to: READERS, views: 1 }],
  });
  const { registered } = await runRelay(t, site);
  const plc = site.device('plc');
  const sender = await registered(plc);
  const devices = READERS.map((name) => site.device(name));
  const readers = await Promise.all(devices.map((device) => registered(device)));
  const winners: number[] = [];
  const won = new Set<string>();
  for (let round = 0; round < ROUNDS; round++) {
    const { transferId } = itemOf(await sender.submit(sealTo(plc, devices, { views: 1 })), 'accepted')!;
    // Each round another one asks first, so that it is not the order that decides.
    const order = READERS.map((_, place) => (place + round) % READERS.length);
    const answers = await Promise.all(order.map((index) => readers[index]!.claim([sessionItem(1)], BLOCK)));
    const winning = answers.flatMap(({ items }, place) => (itemOf(items, 'lease') ? [READERS[order[place]!]!] : []));
    winners.push(winning.length);
    for (const name of winning) won.add(name);
    await sender.delete(transferId);
  }
  t.same(winners, Array(ROUNDS).fill(1));
  t.ok(won.size > 1, 'and not always the same one');
});
