/** What a known device is told when it asks for what cannot be: a stable code, and a sentence that mends it. */
import t, { type Test } from 'tap';
import { CONTROL_BYTES, encodeControl, itemOf } from '../../protocol/control.ts';
import { PROBLEMS, type ProblemCode } from '../../protocol/problem.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type Answer, openAs, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import type { SiteDevice } from '../fixtures/site.ts';

const BLOCK = 65_536;

/** Asserts that an answer is this problem, in the form of RFC 9457. */
function isProblem(t: Test, { status, headers, body }: Answer, code: ProblemCode, detail: RegExp): void {
  const problem = JSON.parse(body.toString());
  t.equal(headers['content-type'], 'application/problem+json', code);
  t.match(problem, {
    type: `urn:ghostpipe:problem:${code}`,
    status: PROBLEMS[code].status,
    detail,
    code,
    mend: PROBLEMS[code].mend,
  });
  t.equal(status, PROBLEMS[code].status, code);
}

function post(device: SiteDevice, path: string, body: Uint8Array, type = 'application/octet-stream') {
  return {
    method: 'POST',
    path,
    body,
    headers: { 'content-type': type, authorization: `Bearer ${device.apiKey}` },
  };
}

t.test('a submit that cannot be', async (t) => {
  const site = smallPlant(t.testdir(), { limits: { maxTtlSeconds: 100 } });
  const { ask, registered, conduit, log } = await runRelay(t, site);
  const [plc, plc2, lonely] = [site.device('plc'), site.device('plc2'), site.device('lonely')];
  const [historian, mirror, archive] = [site.device('historian'), site.device('mirror'), site.device('archive')];
  for (const device of [plc, plc2, lonely, historian, mirror]) await registered(device);
  const submit = (device: SiteDevice, block: Uint8Array, type?: string) =>
    ask('ot', post(device, '/v2/inbound', block, type));
  const good = sealTo(plc, [historian], { ttlSeconds: 100 });

  isProblem(t, await submit(plc, good.subarray(1)), 'block-size', /65535, a block has 65536/);
  isProblem(t, await submit(plc, Buffer.alloc(BLOCK + 1)), 'block-size', /65537/);
  isProblem(t, await submit(plc, new Uint8Array(0)), 'block-size', /content-length is 0/);
  isProblem(t, await submit(plc, good, 'text/plain'), 'media-type', /text\/plain/);
  isProblem(t, await submit(plc, Buffer.alloc(BLOCK, 7)), 'block-invalid', /GPB1/);
  isProblem(t, await submit(plc, sealTo(plc, [archive])), 'no-recipient', /none of 1 stanzas/);
  isProblem(t, await submit(plc, sealTo(plc, [site.stranger('x')])), 'no-recipient', /none of 1 stanzas/);
  isProblem(t, await submit(plc2, sealTo(plc2, [historian, mirror])), 'not-routed', /plc2 to mirror/);
  isProblem(t, await submit(lonely, sealTo(lonely, [historian])), 'not-routed', /no route from "lonely"/);
  isProblem(t, await submit(plc, sealTo(plc, [historian, archive])), 'views-exceeded', /2 views are asked for 1/);
  isProblem(t, await submit(plc, sealTo(plc, [historian], { ttlSeconds: 101 })), 'ttl-exceeded', /101 s.*100 s/);
  t.same(conduit.store.count(), { free: 8, used: 0, burning: 0 }, 'every refused block gave its slot back');
  t.equal((await submit(plc, good)).status, 201);
  t.equal(log.filter(({ msg }) => msg === 'refused').length, 11, 'a line in the log for each');
});

t.test('chunked bodies have no length that could be checked first', async (t) => {
  const site = smallPlant(t.testdir());
  const { ask, registered } = await runRelay(t, site);
  await registered(site.device('plc'));
  const request = post(site.device('plc'), '/v2/inbound', Buffer.alloc(BLOCK));
  const answer = await ask('ot', { ...request, headers: { ...request.headers, 'transfer-encoding': 'chunked' } });
  isProblem(t, answer, 'block-size', /content-length is missing/);
});

t.test('no room: 503 with Retry-After, for the relay as a whole and for one device', async (t) => {
  const site = smallPlant(t.testdir(), { store: { slots: 3 }, limits: { slotsPerSender: 2 } });
  const { ask, registered } = await runRelay(t, site);
  const [plc, plc2, historian] = [site.device('plc'), site.device('plc2'), site.device('historian')];
  for (const device of [plc, plc2, historian]) await registered(device);
  const submit = (device: SiteDevice) => ask('ot', post(device, '/v2/inbound', sealTo(device, [historian])));
  for (const device of [plc, plc, plc2]) t.equal((await submit(device)).status, 201);
  const quota = await submit(plc);
  isProblem(t, quota, 'quota-exceeded', /uses 2 slots, it may use 2/);
  t.equal(quota.headers['retry-after'], '1', 'the interval of the sector in seconds');
  const full = await submit(plc2);
  isProblem(t, full, 'slots-full', /every slot/);
  t.equal(full.headers['retry-after'], '1');
});

t.test('a claim that cannot be', async (t) => {
  const site = smallPlant(t.testdir());
  const { ask, registered } = await runRelay(t, site);
  const historian = site.device('historian');
  await registered(historian);
  const claim = (body: Uint8Array) => ask('it', post(historian, '/v2/claim', body));
  isProblem(t, await claim(new Uint8Array(CONTROL_BYTES)), 'control-invalid', /GPC1/);
  isProblem(t, await claim(new Uint8Array(100)), 'control-invalid', /not 100/);
  isProblem(t, await claim(new Uint8Array(CONTROL_BYTES + 1)), 'body-too-large', /longer than 32768/);
  isProblem(t, await claim(encodeControl([])), 'control-invalid', /needs a session/);
  const headers = { authorization: `Bearer ${historian.apiKey}`, 'ghostpipe-session': 'nonsense' };
  const byHash = await ask('it', { path: `/v2/outbound/${'0'.repeat(64)}`, headers });
  isProblem(t, byHash, 'encoding-invalid', /32 lower-case hexadecimal/);
});

t.test('an ack by who did not open the block, of another view, of nothing', async (t) => {
  const site = smallPlant(t.testdir());
  const { registered, log } = await runRelay(t, site);
  const [plc, historian, mirror] = [site.device('plc'), site.device('historian'), site.device('mirror')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  const other = await registered(mirror);
  const block = sealTo(plc, [historian, mirror]);
  const { transferId } = itemOf(await sender.submit(block), 'accepted')!;
  const claimed = await reader.claim([sessionItem()], BLOCK);
  const { ackSecret } = openAs(site, historian, claimed.block);
  const foreignSecret = openAs(site, mirror, block).ackSecret;

  const guess = await reader.ack([{ type: 'ack', transferId, ackSecret: new Uint8Array(32) }]);
  t.match(itemOf(guess, 'problem'), { transferId, code: 'ack-invalid' });
  const foreign = await reader.ack([{ type: 'ack', transferId, ackSecret: foreignSecret }]);
  t.match(itemOf(foreign, 'problem'), { transferId, code: 'ack-invalid' });
  const stolen = await other.ack([{ type: 'ack', transferId, ackSecret }]);
  t.match(itemOf(stolen, 'problem'), { transferId, code: 'ack-invalid' });
  const nothing = await reader.ack([{ type: 'ack', transferId: new Uint8Array(16), ackSecret }]);
  t.equal(itemOf(nothing, 'status')?.state, 'unknown');
  t.match(
    log.filter(({ msg }) => msg === 'refused an item').map(({ device, item, code }) => [device, item, code]),
    [
      ['historian', 'ack', 'ack-invalid'],
      ['historian', 'ack', 'ack-invalid'],
      ['mirror', 'ack', 'ack-invalid'],
    ],
  );
  const right = await reader.ack([{ type: 'ack', transferId, ackSecret }]);
  t.equal(itemOf(right, 'status')?.state, 'delivered', 'what was refused changed nothing');
});

t.test('answers that do not fit into the frame are left out, and the items can be sent again', async (t) => {
  const site = smallPlant(t.testdir());
  const { registered } = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  const { transferId } = itemOf(await sender.submit(sealTo(plc, [historian])), 'accepted')!;
  const rejects = Array.from({ length: 1600 }, () => ({
    type: 'reject' as const,
    transferId,
    code: 'replay' as const,
  }));
  const problems = (await reader.ack(rejects)).filter(({ type }) => type === 'problem');
  const problemBytes = 3 + 16 + 'lease-expired'.length;
  t.equal(problems.length, Math.floor((CONTROL_BYTES - 4 - 19) / problemBytes));
});

t.test('a registration that cannot be', async (t) => {
  const site = smallPlant(t.testdir());
  const { client, conduit, registered } = await runRelay(t, site);
  const lone = site.stranger('nobody');
  await t.rejects(client(lone).register(lone.registration), { code: 'not-in-roster' });
  const plc = site.device('plc');
  const mismatched = { ...plc.registration, keyStatement: lone.keyStatement };
  await t.rejects(client(plc).register(mismatched), { code: 'not-available' });
  await registered(plc);
  await registered(plc);
  t.equal(conduit.registry.size, 1, 'registering again is nothing special');
  await t.rejects(client(plc, 'it').register(plc.registration), { code: 'not-available' }, 'in another zone');
});
