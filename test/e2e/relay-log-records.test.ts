/** Every action of the audit log that this relay can cause: the event happens to a real relay, and its record is read. */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { signKeyStatement } from '../../protocol/key-statement.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { signDocument } from '../../protocol/signed.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { logOf, ticked, withClock } from '../fixtures/relay-log.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

t.setTimeout(120_000);

const BLOCK = 65_536;
const MIB = 2 ** 20;

t.test('devices: who registered, proved itself, was refused, fell silent', async (t) => {
  const site = smallPlant(t.testdir());
  const running = await withClock(t, site);
  const { registered, client, ask, pass, conduit } = running;
  const plc = site.device('plc');
  const sender = await registered(plc);
  await registered(plc); // the same again is nothing new
  const statement = signKeyStatement(engine, plc.signer, plc.did, 2, site.device('plc2').kemKey.publicKey);
  await client(plc).register({ ...plc.registration, keyStatement: statement });
  const reader = await registered(site.device('historian'));

  await t.rejects(sender.status(new Uint8Array(16)), { code: 'not-available' });
  await t.rejects(client(plc, 'it').roster(), { code: 'not-available' });
  await t.rejects(sender.submit(Buffer.alloc(BLOCK)), { code: 'block-invalid' });
  const headers = { authorization: `Bearer ${site.device('archive').apiKey}` };
  for (let i = 0; i < 3; i++) await ask('ot', { path: '/v2/roster', headers });

  for (const fill of [1, 1, 2, 3]) await reader.claim([sessionItem(4, fill)], BLOCK);
  pass(60_000);
  await reader.claim([sessionItem(4, 4)], BLOCK);
  const { records } = conduit.audit.state;
  pass(600_000);
  await ticked(t, running, records);
  await reader.claim([sessionItem(4, 5)], BLOCK);
  pass(3_000_000);
  await sender.roster();
  conduit.audit.tick();

  const { of } = await logOf(t, running);
  const device = { id: plc.did, k: 'device' };
  t.same(
    of('did.registered').map(({ obj }) => obj.zone),
    ['ot', 'it'],
  );
  t.same(
    of('key.issued')
      .filter(({ obj }) => obj.did === plc.did)
      .map(({ obj }) => obj.kind),
    ['api', 'kem', 'kem'],
    'the new key of the same device too',
  );
  t.match(
    of('auth.ok').filter(({ src }) => src.id === plc.did),
    [{ obj: { zone: 'ot' } }, { obj: { zone: 'ot' } }],
    'once an hour',
  );
  t.match(of('auth.failed'), [
    { obj: { count: 1, zone: 'it' }, src: device },
    { obj: { count: 3, zone: 'ot' }, src: { id: 'ot', k: 'peer' } },
  ]);
  t.match(of('request.denied'), [{ obj: { code: 'not-available', count: 1 }, src: device }]);
  t.match(of('request.malformed'), [{ obj: { code: 'block-invalid', count: 1 }, src: device }]);
  t.match(
    of('session.ended').map(({ obj }) => obj.reason),
    ['taken-over', 'taken-over', 'timeout'],
    'one a minute',
  );
  t.equal(of('device.stale').length, 1, 'once for one silence');
  t.ok(of('device.stale')[0]!.obj.silentMs >= 10_000);
});

t.test('transfers, quotas, and what the operator changed', async (t) => {
  const site = smallPlant(t.testdir(), { store: { slots: 4 }, limits: { slotsPerSender: 2 }, licenceKey: 'plk_a' });
  const running = await withClock(t, site);
  const { registered, ask, pass } = running;
  const [plc, plc2, historian] = [site.device('plc'), site.device('plc2'), site.device('historian')];
  const sender = await registered(plc);
  const other = await registered(plc2);
  const reader = await registered(historian);
  const block = () => sealTo(plc, [historian], { ttlSeconds: 60 });
  await sender.submit(block());
  const { items } = await reader.claim([sessionItem()], BLOCK);
  const { transferId } = itemOf(items, 'lease')!;
  await reader.ack([{ type: 'reject', transferId, code: 'sink-refused' }]);
  await sender.submit(block());
  const second = itemOf(await sender.submit(block()), 'accepted')!.transferId;
  await t.rejects(sender.submit(block()), { code: 'quota-exceeded' });
  await sender.delete(second);
  pass(61_000);
  await other.submit(sealTo(plc2, [historian]));

  const post = (path: string, body: Uint8Array) =>
    ask('management', { method: 'POST', path, headers: { 'content-type': 'application/json' }, body });
  const roster = site.issueRoster({
    version: 2,
    groups: { readers: ['historian'] },
    revocations: [{ did: site.device('lonely').did, what: 'device' }],
  });
  t.equal((await post('/v2/roster', roster)).status, 200);
  const revocation = (body: object) =>
    canonicalBytes(
      signDocument(engine, site.operator, REVOCATION, {
        v: 1,
        siteId: site.siteId,
        serial: 1,
        by: 'operator',
        did: historian.did,
        what: 'device',
        issuedMs: 0,
        ...body,
      }),
    );
  const apiKeyHash = running.conduit.registry.withDid(plc.did)!.registration.grant.apiKeyHash;
  await post('/v2/revoke', revocation({ did: plc.did, what: 'api-key', apiKeyHash }));
  await post('/v2/revoke', revocation({}));

  const { of } = await logOf(t, running);
  const operator = { id: site.operatorKeyHash, k: 'operator' };
  t.equal(of('transfer.accepted').length, 4);
  t.match(of('transfer.release'), [{ obj: { attempt: 1 } }]);
  t.match(of('transfer.rejected'), [{ obj: { code: 'sink-refused' } }]);
  t.match(of('quota.exceeded'), [{ obj: { code: 'quota-exceeded', count: 1 }, src: { id: plc.did } }]);
  t.match(of('transfer.expired'), [{ obj: { open: 1 } }]);
  t.same(
    of('transfer.dropped').map(({ obj }) => obj.reason),
    ['sender', 'revoked'],
  );
  t.match(of('policy.changed'), [{ obj: { policy: 'roster', version: 2 }, src: operator }]);
  t.match(of('group.changed'), [{ obj: { group: 'readers', version: 2 }, src: operator }]);
  t.same(
    of('did.revoked').map(({ obj }) => obj.did),
    [site.device('lonely').did, historian.did],
  );
  t.match(of('key.revoked'), [{ obj: { did: plc.did, kind: 'api' }, src: operator }]);
  t.match(of('session.ended'), [{ obj: { reason: 'closed' }, src: { id: historian.did } }]);
  t.equal(of('config.loaded').length, 1);
  t.match(of('licence.loaded'), [{ src: operator }]);
  t.match(of('shutdown'), [{ obj: { reason: 'signal' } }]);
});

t.test('the process: why it began, what it took over, and that memory runs low', async (t) => {
  const directory = t.testdir();
  const seedFile = `${directory}/seed`;
  writeFileSync(seedFile, toBase64Url(engine.random(32)), { mode: 0o600 });
  const site = smallPlant(directory, { seedFile, store: { kind: 'tmpfs', slots: 4, path: blocksFolder(t) } });
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const first = await runRelay(t, site);
  await first.registered(historian);
  await (await first.registered(plc)).submit(sealTo(plc, [historian]));
  const before = await logOf(t, first);
  t.match(before.of('boot')[0]!.obj.reason, /^(power|unknown)$/, 'the first of this folder');
  t.same(before.of('import.prev'), []);

  let freeBytes = 60 * MIB;
  const second = await runRelay(t, site, { freeBytes: () => freeBytes });
  const { audit } = second.conduit;
  const memory = async (bytes: number) => {
    freeBytes = bytes;
    await sleep(1300);
    return audit.state.records;
  };
  const low = await memory(60 * MIB);
  t.equal(await memory(100 * MIB), low, 'it is told once, and not when it comes and goes');
  const after = await logOf(t, second);
  t.match(after.of('boot').slice(-1), [{ obj: { reason: 'restart' } }]);
  const [previous] = second.conduit.audit.view.epochs;
  t.match(after.of('import.prev'), [{ obj: { origin: previous!.origin, size: previous!.tail!.size } }]);
  t.equal(after.of('transfer.adopted').length, 1);
  t.match(after.of('memory.low'), [{ obj: { freeMiB: 60 } }]);
  t.match(
    second.log.filter(({ msg }) => msg === 'audit journal'),
    [{ journal: 1, journals: 1, closed: true }],
  );
});
