/** The wall clocks of relay, sender and receiver step by a day, forth and back, while they run. */
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { relayIdentity } from '../../relay/identity.ts';
import { Epochs } from '../../relay/log/epochs.ts';
import { verifyChain } from '../fixtures/audit.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { ProcessPlant } from '../fixtures/process-plant.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';
import { seedOf } from '../fixtures/site.ts';
import { SteppedClock } from '../fixtures/stepped-clock.ts';

t.setTimeout(180_000);

const INTERVAL_MS = 200;
const DAY = 86_400;
/** A block that waits over a step; far below a day, so that a deadline by the wall clock would be over. */
const WAIT_SLOTS = 10;
/** Within it the relay has looked at its clock several times: two steps between two looks would be one. */
const LOOKED_MS = 1500;
const PARTS = ['relay', 'sender', 'receiver'] as const;

t.test('no step of a wall clock moves a deadline, a schedule or a number', async (t) => {
  const directory = t.testdir();
  const clocks = Object.fromEntries(PARTS.map((part) => [part, new SteppedClock(`${directory}/${part}.clock`)]));
  const options = (part: (typeof PARTS)[number]) => ({ env: clocks[part]!.env });
  const folder = blocksFolder(t);
  const plant = new ProcessPlant(t, {
    directory,
    intervalMs: INTERVAL_MS,
    store: { kind: 'tmpfs', slots: 64, path: folder },
    limits: { slotsPerSender: 64, leaseSeconds: 60 },
    relay: options('relay'),
    sender: options('sender'),
    receiver: options('receiver'),
  });
  await plant.startRelay();
  let receiver = plant.receiver();
  let sender = plant.sender('--stdin', '--ttl', '600');
  const fed: string[] = [];
  const feed = (reading: string) => {
    fed.push(reading);
    sender.child.stdin!.write(`${reading}\n`);
  };
  const arrives = (reading: string) =>
    until(
      reading,
      () => plant.received().some(({ data }) => data === reading),
      () => sender.stderr() + receiver.stderr(),
    );
  const dayOf = (reading: string) => {
    const { time } = plant.received().find(({ data }) => data === reading)!;
    return Math.round((Date.parse(time) - Date.now()) / 1000 / DAY);
  };
  feed('first');
  await arrives('first');

  // 1. Each clock steps forth, back beyond where it was, and home.
  for (const part of PARTS) {
    for (const days of [1, -1, 0]) {
      clocks[part]!.step(days * DAY);
      const reading = `${part} ${days}`;
      feed(reading);
      await arrives(reading);
      if (part === 'relay') await sleep(LOOKED_MS);
      t.equal(dayOf(reading), part === 'sender' ? days : 0, `${reading}: the step is seen`);
    }
  }

  // 2. A block that waits for its reader while all clocks step.
  receiver.child.kill('SIGTERM');
  t.equal(await receiver.ended, 0, receiver.stderr());
  const before = plant.transfers.length;
  feed('waits');
  const accepted = () => plant.transfers.slice(before).filter(({ type }) => type === 'accepted').length;
  await until('blocks that wait', () => accepted() >= WAIT_SLOTS);
  await sleep(LOOKED_MS);
  for (const part of PARTS) clocks[part]!.step(DAY);
  await sleep(WAIT_SLOTS * INTERVAL_MS);
  for (const part of PARTS) clocks[part]!.step(-DAY);

  // 3. Both clients begin anew while their clocks are behind what they were: runs and serial numbers go on.
  receiver = plant.receiver();
  await arrives('waits');
  sender.child.stdin!.end();
  t.equal(await sender.ended, 0, sender.stderr());
  const first = lastJson(sender.stdout());
  t.match(first, { ok: true, undelivered: 0, receiptsRefused: 0 });
  sender = plant.sender('--stdin');
  feed('a new run');
  await arrives('a new run');
  sender.child.stdin!.end();
  t.equal(await sender.ended, 0, sender.stderr());
  receiver.child.kill('SIGTERM');
  t.equal(await receiver.ended, 0, receiver.stderr());

  await plant.relay.kill('SIGTERM'); // killed, libfaketime would leave its shared memory behind

  const logPin = relayIdentity(engine, seedOf('relay'), 'relay').logPin;
  const { kept } = new Epochs({
    engine,
    logPin,
    folder,
    mode: 'best-effort',
    limitBytes: 2 ** 28,
    onFinding: (fact) => t.fail(fact),
  });
  const records = verifyChain(t, kept, logPin);
  const steps = records.flatMap((record) =>
    record.act === 'clock.set' ? Math.round(record.obj.stepMs / 1000 / DAY) : [],
  );
  t.same(steps, [1, -2, 1, 1, -2], 'each step of the relay is a record');
  const closes = records.flatMap((record) => (record.act === 'log.epoch.close' ? record.obj.reason : []));
  t.same(closes, [...steps.map(() => 'clock'), 'shutdown'], 'and the end of an epoch');

  const got = plant.received().map(({ data }) => data);
  t.same(got.toSorted(), fed.toSorted(), 'every reading came out once');
  t.match(lastJson(receiver.stdout()), { rejects: 0, missingBlocks: 0 });
  const ends = new Set(plant.transfers.map(({ type }) => type));
  t.same([...ends].sort(), ['accepted', 'acked', 'burned', 'leased'], 'nothing expired, no lease lapsed');
  t.ok(
    plant.mostAccepted(10 * INTERVAL_MS) <= 12,
    `${plant.mostAccepted(10 * INTERVAL_MS)} blocks within ten intervals`,
  );
});
