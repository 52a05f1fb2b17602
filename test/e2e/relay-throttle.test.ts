/** Who fails too often gets nothing done that costs, looks no different, and locks nobody out. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type Request, type RunningRelay, runRelay, sealTo } from '../fixtures/relay.ts';
import type { Site } from '../fixtures/site.ts';

const FAILURES = 5;
const MINUTE = 60_000;

interface Scene {
  readonly running: RunningRelay;
  readonly site: Site;
  /** Lets the clock of the relay, which stands still otherwise, go on. */
  wait(ms: number): void;
}

async function start(t: Test): Promise<Scene> {
  let now = 0;
  const site = smallPlant(t.testdir(), { limits: { failuresPerMinute: FAILURES } });
  const running = await runRelay(t, site, { now: () => now });
  return {
    running,
    site,
    wait(ms) {
      now += ms;
    },
  };
}

function roster(body: Uint8Array, headers: Record<string, string> = {}): Request {
  return { method: 'POST', path: '/v2/roster', body, headers: { 'content-type': 'application/json', ...headers } };
}

/** A roster that is well formed, and signed by nobody who counts. */
function forged(t: Test, site: Site): Uint8Array {
  const foreign = smallPlant(t.testdir({}), {}, 'plant-2');
  return foreign.issueRoster({ version: 9, siteId: site.siteId });
}

function details({ log }: RunningRelay): string[] {
  return log.filter(({ msg }) => msg === 'refused').map(({ detail }) => String(detail));
}

/** The value of a metric without labels. */
async function metric({ ask }: RunningRelay, name: string): Promise<number> {
  const { body } = await ask('management', { path: '/metrics' });
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body.toString())?.[1]);
}

t.test('a forger is refused unread after some failures, and a minute gives some back', async (t) => {
  const { running, site, wait } = await start(t);
  const document = forged(t, site);
  for (let i = 0; i < FAILURES + 3; i++) {
    const { status, body } = await running.ask('management', roster(document));
    t.equal(status, 404);
    t.ok(body.equals(NOT_AVAILABLE));
  }
  t.equal(details(running).length, FAILURES, 'a line for each of the first');
  t.ok(details(running).every((detail) => /operator-mismatch|signature-invalid/.test(detail)));
  t.equal(await metric(running, 'ghostpipe_throttled_total'), 3);
  t.equal(await metric(running, 'ghostpipe_failed_attempts_total'), FAILURES + 3);
  wait(MINUTE / FAILURES);
  await running.ask('management', roster(document));
  t.equal(details(running).length, FAILURES + 1, 'looked at again');
  await running.ask('management', roster(document));
  t.equal(await metric(running, 'ghostpipe_throttled_total'), 4);
  t.notMatch(
    (await running.ask('management', { path: '/metrics' })).body.toString(),
    /127\.0/,
    'no address in metrics',
  );
});

t.test('who carries a valid API key passes, whatever others do behind the same address', async (t) => {
  const { running, site } = await start(t);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  await running.registered(historian);
  for (let i = 0; i < 2 * FAILURES; i++) await running.ask('management', roster(forged(t, site)));
  const sender = await running.registered(plc);
  t.ok(await sender.submit(sealTo(plc, [historian])), 'a device of the roster registers and submits');
  const operator = { authorization: `Bearer ${historian.apiKey}` };
  const older = await running.ask('management', roster(site.issueRoster({ version: 1 }), operator));
  t.match(JSON.parse(older.body.toString()), { code: 'roster-older' }, 'its document is read');
  const without = await running.ask('management', roster(site.issueRoster({ version: 2 })));
  t.equal(without.status, 404, 'without a key even a good one waits');
});

t.test('registrations that prove nothing count, and name no device of the roster', async (t) => {
  const { running, site } = await start(t);
  const lone = site.stranger('nobody');
  const forgery = smallPlant(t.testdir({}), {}, 'plant-2').device('plc');
  for (let i = 0; i < FAILURES; i++) await t.rejects(running.client(forgery, 'ot').register(forgery.registration));
  t.ok(details(running).every((detail) => /signature-invalid/.test(detail)));
  await t.rejects(running.client(lone).register(lone.registration), { code: 'not-available' });
  t.equal(await metric(running, 'ghostpipe_throttled_total'), 1, 'not in the roster: its signatures are not looked at');
});

t.test('connections without a request are failures too', async (t) => {
  const { running } = await start(t);
  for (const bytes of ['garbage\r\n\r\n', '']) {
    const socket = await connectPinned(running.peer('ot'));
    socket.on('error', () => {}).resume();
    if (bytes) socket.write(bytes);
    else socket.end();
    await once(socket, 'close');
  }
  const { host, port } = running.peer('ot');
  const old = tls.connect({ host, port, ecdhCurve: 'X25519' });
  await new Promise((resolve) => old.on('error', resolve));
  while ((await metric(running, 'ghostpipe_failed_attempts_total')) < 3) await sleep(5);
  t.equal(await metric(running, 'ghostpipe_failed_attempts_total'), 3);
});

t.test('a flood of failures does not fill the log', async (t) => {
  const { running, wait } = await start(t);
  const socket = await connectPinned(running.peer('ot'));
  t.teardown(() => socket.destroy());
  const [batches, batch] = [20, 50];
  for (let i = 1; i <= batches; i++) {
    socket.resume().write('GET /v2/roster HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(batch));
    while ((await metric(running, 'ghostpipe_failed_attempts_total')) < i * batch) await sleep(5);
  }
  t.equal(details(running).length, FAILURES);
  wait(MINUTE);
  const summary = () => running.log.find(({ msg }) => msg === 'further failures');
  while (!summary()) await sleep(50);
  t.match(summary(), { source: '127.0.0.1', failures: batches * batch - FAILURES });
});

t.test('slow documents are in memory sixteen at a time, and keep nobody out', async (t) => {
  const { running, site } = await start(t);
  const head =
    'POST /v2/roster HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n';
  const slow = await Promise.all(
    Array.from({ length: 17 }, async () => {
      const socket = await connectPinned(running.peer('management'));
      t.teardown(() => socket.destroy());
      socket.on('error', () => {}).resume();
      socket.write(`${head}{`);
      return socket;
    }),
  );
  await Promise.race(slow.map((socket) => once(socket, 'close')));
  t.equal(slow.filter((socket) => socket.closed || socket.destroyed).length, 1, 'the oldest went');
  const operator = running.client(site.device('historian'), 'management');
  t.same(await operator.publishRoster(site.issueRoster({ version: 2 })), { version: 2 });
});
