/** The whole way, with a real relay and the commands as processes: what goes in comes out, whatever happens between. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { lastJson, textOf, until } from '../fixtures/clients.ts';
import { endsWith, feed, introduceReceiver, linesOf, makePlant, printedReadings, readings } from '../fixtures/flow.ts';

t.setTimeout(120_000);

/** All readings in the JSON-lines files below `folder`, in the order of their place in the stream. */
function readingsIn(t: Test, folder: string): string[] {
  const records = readdirSync(folder).flatMap((name) => {
    t.match(name, /^[0-9a-f]{32}-[0-9a-f]{32}-\d+\.jsonl$/);
    return linesOf(readFileSync(join(folder, name), 'utf8')).map((line) => JSON.parse(line));
  });
  const place = ({ id }: { id: string }) => Number(id.split('-').at(-1));
  return records.sort((a, b) => place(a) - place(b)).map(({ data }) => data);
}

t.test('readings come out as they went in: all, once, in order', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver(['--count', '200']);
  const sender = plant.sender(['--stdin', '--once', '--json', '--interval', '0.1']);
  const sent = readings(200);
  sender.child.stdin!.end(`${sent.join('\n')}\n`);
  await endsWith(t, sender, 0);
  await endsWith(t, receiver, 0);
  t.equal(receiver.stdout(), `${sent.join('\n')}\n`);
  t.match(lastJson(sender.stdout()), { ok: true, records: 200, delivered: 200, undelivered: 0, refused: 0 });
  t.ok(plant.events.some(({ type, state }) => type === 'burned' && state === 'delivered'));
});

t.test('readings that trickle in come out in order, as JSON with a name each', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver(['--count', '6', '--json']);
  const sender = plant.sender(['--stdin']);
  for (const part of [0, 1, 2]) {
    feed(sender, [`first of ${part}`, `second of ${part}`]);
    await until(`part ${part}`, () => printedReadings(receiver).length >= 2 * part + 2, receiver.stderr);
  }
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  await endsWith(t, receiver, 0);
  const [first, ...others] = printedReadings(receiver);
  t.match(first, { sender: 'plc-A1', data: 'first of 0', time: /^2.*Z$/ });
  t.match(lastJson(receiver.stdout()), { ok: true, records: 6, duplicates: 0, missingBlocks: 0, rejects: 0 });
  t.equal(new Set([first!, ...others].map(({ id }) => id)).size, 6);
});

t.test('a file of 1 MB arrives whole, under its own name', async (t) => {
  const plant = await makePlant(t);
  const bytes = randomBytes(1_000_000);
  writeFileSync(plant.path('recipe.bin'), bytes);
  const receiver = plant.receiver(['--output', plant.path('in'), '--json']);
  const sender = plant.sender(['--file', plant.path('recipe.bin'), '--once', '--json']);
  await endsWith(t, sender, 0);
  t.ok((lastJson(sender.stdout()).records as number) > 15, 'in many chunks');
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  t.match(lastJson(receiver.stdout()), { ok: true, files: 1, rejects: 0 });
  const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex');
  t.equal(sha256(readFileSync(plant.path('in', 'plc-A1', 'files', 'recipe.bin'))), sha256(bytes));
});

t.test('a command gets each block of readings, and its word on them counts', async (t) => {
  const plant = await makePlant(t);
  // Fails the first time, refuses what says "poison", and takes the rest.
  const script = [
    '[ -z "$GHOSTPIPE_STATE" ] || exit 0',
    `cd '${plant.path()}'`,
    '[ -e tried ] || { touch tried; exit 1; }',
    'cat > block',
    'grep -q poison block && exit 65',
    'cat block >> taken',
  ].join('\n');
  const receiver = plant.receiver(['--exec', script, '--json']);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, ['good 1']);
  await until('the first reading', () => textOf(plant.path('taken')).includes('good 1'), receiver.stderr);
  feed(sender, ['poison']);
  await until('the refusal', () => receiver.stderr().includes('refused'), receiver.stderr);
  feed(sender, ['good 2']);
  sender.child.stdin!.end();
  await endsWith(t, sender, 1);
  t.match(lastJson(sender.stdout()), { ok: false, delivered: 2, refused: 1, undelivered: 0 });
  t.strictSame(
    linesOf(textOf(plant.path('taken'))).map((line) => JSON.parse(line).data),
    ['good 1', 'good 2'],
  );
  t.match(receiver.stderr(), /\[sink-failed\]/);
});

t.test('a receiver killed between commit and ack loses nothing and doubles nothing', async (t) => {
  const plant = await makePlant(t);
  const output = plant.path('in');
  const marks = plant.path('state', plant.site.siteId, 'historian', 'receiver');
  mkdirSync(dirname(marks), { recursive: true });
  writeFileSync(marks, 'where the marks belong stands a file: nothing can be acknowledged');
  const sender = plant.sender(['--stdin', '--json']);
  const sent = readings(50);
  feed(sender, sent.slice(0, 25));
  await until('the sender', () => sender.stderr().includes('[no-recipient]')); // so the first block holds readings
  const first = plant.receiver(['--output', output]);
  const folder = join(output, 'plc-A1', 'readings');
  await until('the commit', () => existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.jsonl')));
  first.child.kill('SIGKILL');
  t.equal(await first.ended, 'SIGKILL');
  t.strictSame(readingsIn(t, folder), sent.slice(0, 25), 'committed');
  t.notOk(plant.events.some(({ type }) => type === 'acked'));

  rmSync(marks);
  const second = plant.receiver(['--output', output]);
  feed(sender, sent.slice(25));
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  t.match(lastJson(sender.stdout()), { delivered: 50, undelivered: 0 });
  second.child.kill('SIGTERM');
  await endsWith(t, second, 0);
  t.strictSame(readingsIn(t, folder), sent);
});

t.test('a receiver killed again and again, whenever it happens, loses and doubles nothing', async (t) => {
  const plant = await makePlant(t);
  const output = plant.path('in');
  const sender = plant.sender(['--stdin']);
  const sent = readings(40);
  for (let round = 0; round < 4; round++) {
    const receiver = plant.receiver(['--output', output]);
    feed(sender, sent.slice(round * 10, round * 10 + 10));
    const before = plant.events.length;
    await until('a lease', () => plant.events.slice(before).some(({ type }) => type === 'leased'), receiver.stderr);
    receiver.child.kill('SIGKILL');
    await receiver.ended;
  }
  sender.child.stdin!.end();
  const last = plant.receiver(['--output', output]);
  await endsWith(t, sender, 0);
  last.child.kill('SIGTERM');
  await endsWith(t, last, 0);
  t.strictSame(readingsIn(t, join(output, 'plc-A1', 'readings')), sent);
});

t.test('a relay that loses its memory loses no reading', async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const sender = plant.sender(['--stdin', '--json']);
  const sent = readings(30);
  feed(sender, sent.slice(0, 15));
  await until('blocks at the relay', () => plant.events.filter(({ type }) => type === 'accepted').length >= 2);
  await plant.stopRelay();
  await until('the sender to notice', () => sender.stderr().includes('[relay-unreachable]'), sender.stderr);
  await plant.startRelay();
  feed(sender, sent.slice(15));
  const receiver = plant.receiver(['--count', '30', '--json']);
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  await endsWith(t, receiver, 0);
  t.strictSame(
    printedReadings(receiver)
      .map(({ data }) => data)
      .sort(),
    [...sent].sort(),
  );
  t.match(lastJson(sender.stdout()), { ok: true, records: 30, delivered: 30 });
});

t.test('two receivers of a route both get everything', async (t) => {
  const plant = await makePlant(t, { receivers: ['historian', 'backup'] });
  const sent = readings(20);
  const historian = plant.receiver(['--count', '20']);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, sent);
  sender.child.stdin!.end();
  await until('the missing key', () => sender.stderr().includes('backup'), sender.stderr);
  const backup = plant.receiver(['--count', '20', '--device-id', 'backup']);
  await endsWith(t, historian, 0);
  await endsWith(t, backup, 0);
  await endsWith(t, sender, 0);
  t.strictSame(linesOf(historian.stdout()), sent);
  t.strictSame(linesOf(backup.stdout()), sent);
  t.match(lastJson(sender.stdout()), { records: 20, delivered: 20 });
});

t.test('one receiver of two is not enough where both must confirm', async (t) => {
  const plant = await makePlant(t, { receivers: ['historian', 'backup'] });
  const backup = plant.receiver(['--device-id', 'backup']);
  await until('the backup', () => backup.stderr().includes('waits for readings'));
  backup.child.kill('SIGTERM');
  await backup.ended;
  const historian = plant.receiver(['--count', '5']);
  const sender = plant.sender(['--stdin', '--json']);
  feed(sender, readings(5));
  await endsWith(t, historian, 0);
  sender.child.kill('SIGTERM');
  await sleep(1200); // a signal that comes sooner is taken for an echo of the first
  sender.child.kill('SIGTERM');
  await endsWith(t, sender, 1);
  t.match(lastJson(sender.stdout()), { ok: false, records: 5, delivered: 0, undelivered: 5 });
});

t.test('with --max-views 1 each reading goes to one of two receivers', async (t) => {
  const plant = await makePlant(t, { receivers: ['historian', 'backup'] });
  const receivers = ['historian', 'backup'].map((name) => plant.receiver(['--json', '--device-id', name]));
  for (const { stderr } of receivers) await until('a receiver', () => stderr().includes('waits for readings'));
  const sender = plant.sender(['--stdin', '--max-views', '1', '--json']);
  const sent = readings(12);
  for (const reading of sent) {
    feed(sender, [reading]);
    const received = () => receivers.map(({ stdout }) => stdout()).join('');
    await until(reading, () => received().includes(`"${reading}"`), sender.stderr);
  }
  sender.child.stdin!.end();
  await endsWith(t, sender, 0);
  for (const receiver of receivers) {
    receiver.child.kill('SIGTERM');
    await endsWith(t, receiver, 0);
    t.match(lastJson(receiver.stdout()), { ok: true, missingBlocks: 0 }, 'what the other took is not missing');
  }
  const records = receivers.flatMap((receiver) => printedReadings(receiver));
  t.strictSame(records.map(({ data }) => data).sort(), [...sent].sort());
});
