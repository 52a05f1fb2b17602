/** Five thousand connections of strangers: they cost the relay little, and a sender gets through in each of its slots. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { RelayClient } from '../../tools/lib/relay-client.ts';
import type { Crowd } from '../fixtures/crowd.ts';
import { forgetPeak, type RelayProcess, residentMiB, startRelayProcess } from '../fixtures/measured-relay.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { sealTo } from '../fixtures/relay.ts';
import type { Site } from '../fixtures/site.ts';

const CROWD = join(import.meta.dirname, '..', 'fixtures', 'crowd.ts');
const ATTEMPTS = 5000;
/** The interval of a site that says none. */
const SLOT_MS = 15_000;
const MOST_MIB = 64;

interface Slots {
  /** How long each submit took, its connection and handshake included. */
  readonly milliseconds: number[];
  readonly failures: unknown[];
}

/** Begins a slot: a new connection and one block, or nothing of it counts. */
async function slot({ peer }: RelayProcess, site: Site, { milliseconds, failures }: Slots): Promise<void> {
  const { host, port, pins } = peer('ot');
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const relay = new RelayClient({ url: `https://${host}:${port}`, pins, apiKey: plc.apiKey });
  const begin = performance.now();
  const submitted = relay.submit(sealTo(plc, [historian], { ttlSeconds: 1 })).then(
    () => void milliseconds.push(performance.now() - begin),
    (thrown: unknown) => void failures.push(thrown),
  );
  const late = setTimeout(() => {
    failures.push(`no answer within a slot of ${SLOT_MS} ms`);
    relay.close();
  }, SLOT_MS);
  await submitted;
  clearTimeout(late);
  relay.close();
}

/** Lets strangers come, and meanwhile a sender begin a slot as soon as the last is over. */
async function besiege(
  t: Test,
  relay: RelayProcess,
  site: Site,
  argv: readonly string[],
): Promise<{ crowd: Crowd; slots: Slots; grownMiB: number }> {
  const before = residentMiB(relay.pid).now;
  forgetPeak(relay.pid);
  const child = spawn(process.execPath, [CROWD, String(relay.peer('ot').port), ...argv]);
  t.teardown(() => child.kill('SIGKILL'));
  child.stderr.pipe(process.stderr);
  const slots: Slots = { milliseconds: [], failures: [] };
  let over = false;
  const line = once(createInterface(child.stdout), 'line').finally(() => {
    over = true;
  });
  while (!over) {
    await slot(relay, site, slots);
    await sleep(200);
  }
  const crowd = JSON.parse(String((await line)[0])) as Crowd;
  for (let i = 0; i < 3; i++) await slot(relay, site, slots); // while those that are left are held open
  const grownMiB = residentMiB(relay.pid).peak - before;
  await end(child);
  return { crowd, slots, grownMiB };
}

async function end(child: ChildProcess): Promise<void> {
  child.stdin!.end();
  await once(child, 'exit');
}

t.test('5,000 connections of strangers', { timeout: 300_000 }, async (t) => {
  const directory = t.testdir();
  const site = smallPlant(directory, { store: { slots: 64 } });
  const relay = await startRelayProcess(t, directory, site, { config: { limits: {}, logLevel: 'warn' } });
  for (const [name, zone] of [['plc', 'ot'] as const, ['historian', 'it'] as const]) {
    const { host, port, pins } = relay.peer(zone);
    const client = new RelayClient({ url: `https://${host}:${port}`, pins, apiKey: site.device(name).apiKey });
    await client.register(site.device(name).registration);
    client.close();
  }
  for (let i = 0; i < 20; i++) await slot(relay, site, { milliseconds: [], failures: [] }); // until its code is warm

  const many = Array.from({ length: 200 }, (_, i) => `127.0.1.${i + 1}`);
  const sieges: readonly [what: string, kind: string, sources: readonly string[]][] = [
    ['that say nothing, of one address', 'tcp', ['127.0.0.2']],
    ['that say nothing, of the address of the sender', 'tcp', ['127.0.0.1']],
    ['that shake hands, of 200 addresses', 'tls', many],
  ];
  for (const [what, kind, sources] of sieges) {
    const { crowd, slots, grownMiB } = await besiege(t, relay, site, [String(ATTEMPTS), kind, ...sources]);
    const rate = Math.round(crowd.attempts / crowd.seconds);
    const sorted = slots.milliseconds.toSorted((a, b) => a - b);
    const [median, slowest] = [sorted[sorted.length >> 1] ?? 0, sorted.at(-1) ?? 0];
    t.comment(
      `${crowd.attempts} connections ${what}: ${rate} a second, ${crowd.held} held; relay grew by ${grownMiB.toFixed(1)} MiB; ` +
        `${sorted.length} submits over new connections, median ${median.toFixed(0)} ms, slowest ${slowest.toFixed(0)} ms`,
    );
    t.ok(sorted.length >= 3);
    t.same(slots.failures, [], `a sender gets through in each slot: ${what}`);
    t.ok(grownMiB < MOST_MIB, `grew by ${grownMiB.toFixed(1)} MiB`);
  }
  t.ok(relay.log.length < 1000, `${relay.log.length} lines in the log`);
});
