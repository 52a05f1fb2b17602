/** A sender whose spool or disk is full, as a process against a real relay; and what its sources do beside each other. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { lastJson, until } from '../fixtures/clients.ts';
import { endsWith, feed, introduceReceiver, linesOf, makePlant, type Plant, readings } from '../fixtures/flow.ts';

t.setTimeout(180_000);

const PADDING = 'x'.repeat(500);
/** More than the smallest spool and all slots of the relay hold. */
const MANY = readings(5000).map((reading) => `${reading} ${PADDING}`);

/** Starts a receiver with `--output`; gives what arrived, and how it ends. */
function collect(plant: Plant) {
  const receiver = plant.receiver(['--output', plant.path('in'), '--json']);
  const folder = plant.path('in', 'plc-A1', 'readings');
  return {
    async end(t: Test): Promise<string[]> {
      receiver.child.kill('SIGTERM');
      await endsWith(t, receiver, 0);
      return readdirSync(folder).flatMap((name) =>
        linesOf(readFileSync(`${folder}/${name}`, 'utf8')).map((line) => JSON.parse(line).data as string),
      );
    },
  };
}

t.test('a full disk pauses the source, in words; when there is room again everything arrives', async (t) => {
  if (process.getuid?.() !== 0) {
    t.comment('mounting a small disk needs root');
    return;
  }
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const disk = plant.path('disk');
  mkdirSync(disk);
  // The disk is in a namespace of the sender's process and goes with it.
  const script = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"';
  const through = ['unshare', '--mount', 'sh', '-c', script, disk];
  const sender = plant.sender(['--stdin', '--json', '--spool', `${disk}/spool`], { through });
  feed(sender, MANY);
  sender.child.stdin!.end();
  await until('the words', () => sender.stderr().includes('cannot be written (ENOSPC) [spool-failed]'), sender.stderr);
  const receiver = collect(plant);
  await endsWith(t, sender, 0);
  t.match(lastJson(sender.stdout()), { ok: true, records: MANY.length, delivered: MANY.length, dropped: 0, lost: 0 });
  t.strictSame((await receiver.end(t)).sort(), MANY.toSorted());
});

for (const overflow of ['drop-oldest', 'refuse'] as const) {
  t.test(
    `a spool at its limit with --overflow ${overflow}: nothing waits, and what is not there is counted`,
    async (t) => {
      const plant = await makePlant(t);
      await introduceReceiver(plant);
      const sender = plant.sender(['--stdin', '--json', '--spool-limit', '1', '--overflow', overflow]);
      feed(sender, MANY);
      await until('the limit', () => sender.stderr().includes('1048576 bytes [spool-full]'), sender.stderr);
      sender.child.stdin!.end();
      const receiver = collect(plant);
      await endsWith(t, sender, 1);
      const last = lastJson(sender.stdout()) as Record<string, number>;
      const arrived = await receiver.end(t);
      t.equal(new Set(arrived).size, arrived.length, 'none twice');
      t.equal(arrived.length, last.delivered);
      t.match(last, { undelivered: 0, lost: 0 });
      if (overflow === 'refuse') {
        t.ok(last.turnedAway! > 0 && last.dropped === 0, sender.stderr());
        t.equal(last.delivered! + last.turnedAway!, MANY.length);
        t.ok(arrived.includes(MANY[0]!), 'the oldest are there');
      } else {
        t.ok(last.dropped! > 0 && last.turnedAway === 0, sender.stderr());
        t.equal(last.delivered! + last.dropped!, MANY.length);
        t.ok(arrived.includes(MANY.at(-1)!), 'the newest are there');
      }
    },
  );
}

t.test('readings and a watched folder beside each other; SIGTERM ends both', async (t) => {
  const plant = await makePlant(t);
  const receiver = collect(plant);
  const folder = plant.path('out');
  mkdirSync(folder);
  const sender = plant.sender(['--stdin', '--watch', folder, '--settle', '0.1', '--after', 'delete', '--json']);
  writeFileSync(`${folder}/report`, Buffer.alloc(300_000, 7));
  const sent = readings(60);
  for (let i = 0; i < sent.length; i += 2) {
    feed(sender, sent.slice(i, i + 2));
    await until(`reading ${i}`, () => plant.events.filter(({ type }) => type === 'accepted').length > i / 2);
  }
  await until('the file', () => !existsSync(`${folder}/report`), sender.stderr);
  sender.child.kill('SIGTERM');
  await endsWith(t, sender, 0);
  t.match(lastJson(sender.stdout()), { ok: true, filesDelivered: 1, undelivered: 0 });
  t.strictSame((await receiver.end(t)).sort(), sent.toSorted());
  t.equal(readFileSync(plant.path('in', 'plc-A1', 'files', 'report')).length, 300_000);
});

t.test('--burn-at-claim delivers; a second sender on the same spool is refused', async (t) => {
  const plant = await makePlant(t);
  const receiver = collect(plant);
  const sender = plant.sender(['--stdin', '--burn-at-claim', '--json']);
  feed(sender, readings(5));
  await until('a block', () => plant.events.some(({ type }) => type === 'burned'), sender.stderr);
  const second = plant.sender(['--stdin', '--json']);
  await endsWith(t, second, 3);
  t.match(lastJson(second.stdout()), { ok: false, code: 'spool-in-use' });
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  t.match(lastJson(sender.stdout()), { ok: true, delivered: 5, unconfirmed: 0 });
  t.strictSame((await receiver.end(t)).sort(), readings(5));
});
