/**
 * Each event of uniform traffic and zones is a record of the audit log: missed slots, silence, another profile, what was
 * refused inside a slot or in another zone.
 */
import t from 'tap';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { sealTo, sessionItem } from '../fixtures/relay.ts';
import { logOf, ticked, withClock } from '../fixtures/relay-log.ts';

t.setTimeout(60_000);

const BLOCK = 65_536;
const MINUTE_MS = 60_000;

t.test('missed slots, silence, another profile, what was refused in a slot or in another zone', async (t) => {
  const site = smallPlant(t.testdir(), { limits: { slotsPerSender: 1 } });
  const running = await withClock(t, site);
  const { conduit, pass, registered } = running;
  const { intervalMs } = site.roster.profile;
  const uniform = (name: string, zone: 'ot' | 'it'): RelayClient => {
    const { host, port, pins } = running.peer(zone);
    const { apiKey } = site.device(name);
    const client = new RelayClient({ url: `https://${host}:${port}`, pins, apiKey, uniformMs: intervalMs });
    t.teardown(() => client.close());
    return client;
  };
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  await registered(plc);
  await registered(historian);
  const [sender, reader] = [uniform('plc', 'ot'), uniform('historian', 'it')];
  const block = (blockSize = BLOCK) => sealTo(plc, [historian], { blockSize });
  const submit = async (bytes: Buffer) =>
    (await sender.submit(bytes)).flatMap((item) => ('code' in item ? item.code : []));

  t.same(await submit(block()), [], 'the first is taken');
  t.same(await submit(block()), ['quota-exceeded'], 'the second is refused in its slot');
  t.same(await submit(block(2 * BLOCK)), ['block-size'], 'a client with another profile is refused in words');
  await reader.claim([sessionItem()], BLOCK);
  const { records } = conduit.audit.state;
  pass(20 * intervalMs);
  await ticked(t, running, records);
  await submit(block());
  await reader.claim([sessionItem()], BLOCK);

  const management = { method: 'POST', path: '/v2/roster', headers: { 'content-type': 'application/json' } };
  const profile = { ...site.roster.profile, blockSize: 2 * BLOCK };
  const published = await running.ask('management', { ...management, body: site.issueRoster({ version: 2, profile }) });
  t.equal(published.status, 409, 'and so is a roster with one');
  const misplaced = uniform('historian', 'ot');
  await t.rejects(misplaced.claim([sessionItem()], BLOCK), { code: 'not-available' }, 'the zone serves no claims');
  await t.rejects(misplaced.submit(block()), { code: 'not-available' }, 'nor a device of another zone');
  pass(MINUTE_MS);
  conduit.audit.tick();

  const { of } = await logOf(t, running);
  const from = ({ did }: { readonly did: string }) => ({ id: did, k: 'device' });
  t.match(of('slot.missed'), [
    { src: from(plc), res: 'failure' },
    { src: from(historian), res: 'failure' },
  ]);
  for (const { obj } of of('slot.missed')) t.ok(obj.count >= 18, `${obj.count} slots in a row`);
  t.match(of('device.stale'), [{ src: from(plc) }]);
  t.match(
    of('quota.exceeded').map(({ src, obj }) => [src, obj.code]),
    [[from(plc), 'quota-exceeded']],
  );
  const refused = [...of('request.denied'), ...of('request.malformed')].map(({ src, obj }) => [src.id, obj.code]);
  const expected = [
    [plc.did, 'block-size'],
    [historian.did, 'not-available'],
    ['management', 'profile-mismatch'],
  ];
  t.same(refused.map(String).toSorted(), expected.map(String).toSorted());
  t.match(of('auth.failed'), [{ obj: { zone: 'ot' }, src: from(historian) }]);
});
