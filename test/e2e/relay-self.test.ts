/** The device `self`, by which an appliance tests its own relay: what it may, what it may not, and how it is recorded. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { openBlock } from '../../protocol/envelope.ts';
import { GRANT } from '../../protocol/grant.ts';
import { apiKeyHash, keysText } from '../../protocol/identity.ts';
import { signDocument } from '../../protocol/signed.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { logOf } from '../fixtures/relay-log.ts';
import type { SiteDevice } from '../fixtures/site.ts';

const BLOCK = 65_536;

/** A relay that was told of `self`, which signed its own grant; `operatorGrant` is a registration by one of the operator. */
async function relayWithSelf(t: Test) {
  const directory = t.testdir();
  const site = smallPlant(directory);
  const stranger = site.stranger('self');
  const self = { ...stranger, zone: 'management' as const, grant: selfGrant(site.siteId, stranger) };
  const { identity, keyStatement } = stranger;
  const device: SiteDevice = { ...self, registration: { identity, grant: self.grant, keyStatement } };
  const path = (name: string) => join(directory, name);
  writeFileSync(path('self.json'), JSON.stringify({ v: 1, did: self.did, keys: keysText(self.signer.publicKeys) }));
  const config = { hash: toBase64Url(new Uint8Array(32)), version: 3 };
  const statement = { v: 1, board: 'vm', config, buildMs: Date.now() - 1000, clock: 'operator' };
  writeFileSync(path('statement.json'), JSON.stringify(statement));
  const appliance = { statement: path('statement.json'), self: path('self.json'), synchronized: path('synchronized') };
  const running = await runRelay(t, { ...site, config: { ...site.config, appliance } });
  return { site, self: device, operatorGrant: stranger.registration, running, path };
}

/** A grant as `self` signs its own; `did` may be another's. */
function selfGrant(siteId: string, { did, signer, apiKey }: Pick<SiteDevice, 'did' | 'signer' | 'apiKey'>) {
  return signDocument(engine, signer, GRANT, {
    v: 1,
    siteId,
    serial: 1,
    did,
    name: 'self',
    roles: ['send', 'receive'],
    zone: 'management',
    apiKeyHash: apiKeyHash(engine, apiKey),
    issuedMs: 0,
  });
}

t.test('it sends to itself at the listeners of every zone, and its records say so', async (t) => {
  const { self, running } = await relayWithSelf(t);
  const [ot, it] = [running.client(self, 'ot'), running.client(self, 'it')];
  await ot.register(self.registration);
  t.equal(running.conduit.registry.size, 0, 'it is no device of the site');
  const accepted = itemOf(await ot.submit(sealTo(self, [self])), 'accepted')!;
  await t.rejects(ot.submit(sealTo(self, [self])), { code: 'quota-exceeded' }, 'one slot');
  const { items, block } = await it.claim([sessionItem()], BLOCK);
  t.same(itemOf(items, 'lease')?.transferId, accepted.transferId);
  const { ackSecret } = openBlock(engine, Uint8Array.from(block), {
    kemKey: () => self.kemKey,
    senderKeys: () => self.signer.publicKeys,
  });
  const session = sessionItem();
  const after = await it.claim([session, { type: 'ack', transferId: accepted.transferId, ackSecret }], BLOCK);
  t.ok(itemOf(after.items, 'cover'));
  t.equal(running.conduit.appliance!.test.reason, null, 'the test has passed');

  const records = (await logOf(t, running)).records.filter(({ src }) => src.id === self.did);
  const wanted = ['did.registered', 'transfer.accepted', 'transfer.release', 'transfer.delivered'];
  t.same(
    wanted.filter((act) => !records.some((record) => record.act === act)),
    [],
  );
  t.same([...new Set(records.map(({ src }) => src.k))], ['self']);
});

t.test('it reaches no device, and no device reaches it', async (t) => {
  const { self, site, running } = await relayWithSelf(t);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const own = running.client(self, 'ot');
  await own.register(self.registration);
  const sender = await running.registered(plc);
  await running.registered(historian);
  await t.rejects(own.submit(sealTo(self, [historian])), { code: 'not-routed' });
  await t.rejects(sender.submit(sealTo(plc, [self])), { code: 'not-routed' });
});

t.test("only its own signature lets it in, and nobody else's grant is signed so", async (t) => {
  const { self, site, running, operatorGrant } = await relayWithSelf(t);
  const client = running.client(self, 'ot');
  await t.rejects(client.register(operatorGrant), { code: 'not-available' }, "the operator's");
  const other = site.stranger('other');
  const grant = selfGrant(site.siteId, { ...other, signer: self.signer });
  await t.rejects(running.client(other, 'ot').register({ ...other.registration, grant }), { code: 'not-available' });
});

t.test('leaf 0 and the time of records follow the boot statement', async (t) => {
  const { running, path } = await relayWithSelf(t);
  writeFileSync(path('synchronized'), '');
  while (running.conduit.appliance!.timeQuality() !== 'ntp') await sleep(20); // it looks once a second
  const { records } = await logOf(t, running);
  t.match(records[0], { act: 'log.epoch.open', tq: 'operator', obj: { config: { version: 3 } } });
  t.equal(
    records[0]!.act === 'log.epoch.open' && records[0]!.obj.image,
    undefined,
    'a root without verity has no hash',
  );
  t.equal(records.at(-1)!.tq, 'ntp', 'once a time server has set the clock');
});
