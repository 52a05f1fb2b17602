/** A checker that is not ours follows the log of a relay process that carries blocks, and believes no log that lies. */
import t from 'tap';
import type { Call } from '../../protocol/config.ts';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { toHex } from '../../protocol/text.ts';
import type { RelayClient } from '../../tools/lib/relay-client.ts';
import { buildChecker, type Said } from '../fixtures/checker.ts';
import { until } from '../fixtures/clients.ts';
import { openAs, sealTo, sessionItem } from '../fixtures/relay.ts';
import { connect, spawnRelay, writeRelayConfig } from '../fixtures/relay-process.ts';
import { flipped, sabotaged } from '../fixtures/sabotaged-log.ts';
import { makeSite, type Site, ZONE_LISTENERS } from '../fixtures/site.ts';

const LOG_CALLS: readonly Call[] = ['checkpoint', 'tile', 'entries', 'ct-epoch', 'ct-proof', 'ct-consistency'];
const BLOCK_BYTES = 65_536;

t.setTimeout(150_000);

t.test('a growing log holds, and one tile bit, root or line of another does not', async (t) => {
  const directory = t.testdir();
  const check = buildChecker(directory);
  const site = makeSite({
    directory,
    devices: [
      { name: 'plc', roles: ['send'], zone: 'ot' },
      { name: 'historian', roles: ['receive'], zone: 'it' },
      { name: 'auditor', roles: ['audit'], zone: 'management' },
    ],
    routes: [{ from: 'plc', to: ['historian'] }],
  });
  const open = { zone: 'management', address: '127.0.0.1', port: 0, tls: 'off', calls: LOG_CALLS };
  const listeners = [...ZONE_LISTENERS, open];
  const { ready } = spawnRelay(t, writeRelayConfig(directory, site, { store: { slots: 8 }, listeners }));
  const place = await ready;
  const [sender, reader, auditor] = await connect(place, site, ['plc', 'historian', 'auditor']);
  t.teardown(() => {
    for (const client of [sender!, reader!, auditor!]) client.close();
  });
  const url = `http://127.0.0.1:${place.listeners.at(-1)!.port}`;
  const epoch = await fetch(`${url}/v2/ct/epoch`, { headers: { accept: 'application/json' } });
  const key = ((await epoch.json()) as { verifierKeys: string[] }).verifierKeys[2]!;
  const { apiKey } = site.device('auditor');

  const transfer = await carry(site, sender!, reader!);
  const isGrown = (body: Buffer) => !/\n[1-9]\n/.test(body.toString('latin1')); // the first head has a few leaves
  const lies = await Promise.all([
    sabotaged(t, url, [/^\/tile\/0\/000/, (body) => (body.length > 9 * 32 ? flipped(body, 100) : body)]),
    sabotaged(t, url, [/^\/checkpoint/, (body) => (isGrown(body) ? flipped(body, body.indexOf('=\n') - 9) : body)]),
    sabotaged(t, url, [/^\/checkpoint/, (body) => (isGrown(body) ? flipped(body, body.length - 20) : body)]),
    sabotaged(t, url, [/^\/v2\/ct\/consistency/, (body) => (isGrown(body) ? flipped(body, 12) : body)]),
  ]);
  let results: Said[] | undefined;
  void Promise.all([url, ...lies].map((each) => check(each, key, apiKey, transfer))).then((all) => {
    results = all;
  });
  for (let carried = 0; !results && carried < 600; carried++) {
    await carry(site, sender!, reader!);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const [honest, ...lying] = await until('the checkers', () => results);
  t.match(honest, { code: 0, out: /^\d+ leaves hold\n\d+ leaves continue them\n$/ }, honest!.err);
  for (const { code, out, err } of lying) {
    t.equal(code, 1);
    t.match(out, /^\d+ leaves hold\n$/, 'the first tree was shown as it is');
    t.ok(err.length > 0, err);
  }
});

/** Carries one block from `plc` to `historian`; gives the id of the transfer. */
async function carry(site: Site, sender: RelayClient, reader: RelayClient): Promise<string> {
  const [from, to] = [site.device('plc'), site.device('historian')];
  const block = sealTo(from, [to]);
  const transferId = itemOf(await sender.submit(block), 'accepted')!.transferId;
  await reader.claim([sessionItem()], BLOCK_BYTES);
  const ack: ControlItem = { type: 'ack', transferId, ackSecret: openAs(site, to, block).ackSecret };
  await reader.ack([ack]);
  return toHex(transferId);
}
