/** Disasters of devices, as docs/disasters.md has them: a lost host, lost keys, a leaked API key, leaked seeds. */
import { cpSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Running, until } from '../fixtures/clients.ts';
import { feed, linesOf } from '../fixtures/flow.ts';
import { deviceSecrets, makeOperator, type Operator, stop } from '../fixtures/operator.ts';
import { ask } from '../fixtures/relay.ts';
import { secretsIn } from '../fixtures/secrets.ts';

t.setTimeout(120_000);

/** A reading is in the spool after a second at the latest. */
const SPOOLED_MS = 1500;
const READING = 'pressure of reactor 4 is 71.25 bar';
const SITE = (operator: Operator) => `--dir ${operator.path('site')}`;

/** Feeds one reading, and waits until the receiver has it. */
async function delivers(t: Test, sender: Running, receiver: Running, reading: string): Promise<void> {
  feed(sender, [reading]);
  const arrived = () => linesOf(receiver.stdout()).includes(reading);
  await until(reading, arrived, () => `${sender.stderr()} ${receiver.stderr()}`);
  t.pass(`${reading} arrived`);
}

/** Whoever has these files is refused for ever. */
async function isRevoked(t: Test, running: Running): Promise<void> {
  running.child.stdin!.end('forged\n');
  t.equal(await running.ended, 1, 'it ends');
  t.match(running.stderr(), /\[revoked\]/);
}

function noSecretSaid(t: Test, operator: Operator, hosts: readonly (readonly [host: string, name: string])[]): void {
  for (const [host, name] of hosts) {
    t.same(secretsIn(operator.said(), deviceSecrets(operator.path(host), name)), [], `no secret of ${host}`);
  }
  t.same(secretsIn(operator.said(), operator.secrets()), [], 'none of the site');
  t.same(secretsIn(operator.complained(), { reading: READING }), [], 'no reading among the complaints');
}

t.test('a PLC host is lost: a new one takes its place, the old one is refused', async (t) => {
  const operator = makeOperator(t);
  await operator.relay();
  const receiver = await operator.receiver('historian', 'historian');
  const lost = operator.sender('plc', 'plc');
  await delivers(t, lost, receiver, READING);
  await stop(lost, 'SIGKILL');

  await operator.run(`provision replace-device plc ${SITE(operator)} --out ${operator.path('plc-new')} --publish`);
  await delivers(t, operator.sender('plc', 'plc-new'), receiver, 'after');
  await isRevoked(t, operator.sender('plc', 'plc'));
  t.same(linesOf(receiver.stdout()), [READING, 'after'], 'each once, and nothing of whoever has the old host');
  noSecretSaid(t, operator, [
    ['plc', 'plc'],
    ['plc-new', 'plc'],
    ['historian', 'historian'],
  ]);
});

t.test("a receiver's keys are lost: blocks for the old ones are burned, the new one gets what comes", async (t) => {
  const operator = makeOperator(t);
  await operator.relay();
  const lost = await operator.receiver('historian', 'historian');
  const old = operator.sender('plc', 'plc');
  await delivers(t, old, lost, 'before');
  await stop(lost, 'SIGKILL');
  feed(old, ['meanwhile']);
  const slots = async () => (await operator.attempt(`status ${SITE(operator)}`)).json.slots as { used: number };
  for (let looks = 0; looks < 100 && (await slots()).used === 0; looks++);
  t.ok((await slots()).used > 0, 'blocks wait for the old keys');

  await operator.run(
    `provision replace-device historian ${SITE(operator)} --out ${operator.path('historian-new')} --publish`,
  );
  await sleep(SPOOLED_MS);
  t.equal(await stop(old, 'SIGKILL'), 'SIGKILL');
  t.equal((await slots()).used, 0, 'they are burned');
  const receiver = await operator.receiver('historian', 'historian-new');
  await delivers(t, operator.sender('plc', 'plc'), receiver, 'after');
  t.ok(linesOf(receiver.stdout()).includes('meanwhile'), 'what the sender held is not lost');
  const thief = await operator.attempt(
    `receiver --device-id historian --config-dir ${operator.path('historian')} --state-dir ${operator.path('thief')}`,
  );
  t.match(thief, { code: 1, err: /\[revoked\]/ });
  noSecretSaid(t, operator, [
    ['historian', 'historian'],
    ['historian-new', 'historian'],
  ]);
});

t.test('an API key leaked: after a rotation it is worth nothing, at once', async (t) => {
  const operator = makeOperator(t);
  await operator.relay();
  const receiver = await operator.receiver('historian', 'historian');
  const sender = operator.sender('plc', 'plc');
  await delivers(t, sender, receiver, 'before');
  const leaked = readFileSync(operator.path('plc', 'devices', 'plc', 'api-key'), 'utf8').trim();
  const { relayPins: pins } = JSON.parse(readFileSync(operator.path('site', 'site.json'), 'utf8'));
  const asThief = () =>
    ask(
      { host: operator.address, port: 3000, pins },
      { method: 'POST', path: '/v2/inbound', headers: { authorization: `Bearer ${leaked}` } },
    );
  t.equal((await asThief()).status, 415, 'it is known, and lacks a block');
  cpSync(operator.path('plc'), operator.path('old'), { recursive: true });

  await operator.run(`provision rotate plc ${SITE(operator)} --out ${operator.path('plc')} --publish`);
  t.equal((await asThief()).status, 404);
  await isRevoked(t, sender);
  await isRevoked(t, operator.sender('plc', 'old'));
  await delivers(t, operator.sender('plc', 'plc'), receiver, 'after');
  noSecretSaid(t, operator, [
    ['plc', 'plc'],
    ['old', 'plc'],
  ]);
});

t.test('seeds of a device leaked: its identity is replaced, and the thief is refused', async (t) => {
  const operator = makeOperator(t);
  await operator.relay();
  const receiver = await operator.receiver('historian', 'historian');
  cpSync(operator.path('plc'), operator.path('thief'), { recursive: true });
  const thief = operator.sender('plc', 'thief');
  await delivers(t, thief, receiver, 'forged');
  await operator.run(`provision replace-device plc ${SITE(operator)} --out ${operator.path('plc-new')} --publish`);
  await isRevoked(t, thief);
  await isRevoked(t, operator.sender('plc', 'thief'));
  await delivers(t, operator.sender('plc', 'plc-new'), receiver, 'genuine');
});
