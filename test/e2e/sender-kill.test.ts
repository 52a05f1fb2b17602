/** The sender as a process, killed with SIGKILL at random moments under a steady stream of readings and files. */
import { createHash, randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { readEnrolment } from '../../tools/lib/device.ts';
import { deviceFolder } from '../../tools/lib/paths.ts';
import { Spool } from '../../tools/sender/spool.ts';
import { realDisk } from '../../tools/sender/spool-state.ts';
import { lastJson, until } from '../fixtures/clients.ts';
import { endsWith, feed, introduceReceiver, linesOf, makePlant, type Plant } from '../fixtures/flow.ts';
import { contents } from '../fixtures/spool.ts';

t.setTimeout(30 * 60_000);

/** A long run asks for more. */
const KILLS = Number(process.env.GHOSTPIPE_KILLS ?? 15);

/** The readings that a killed sender left in its spool, read in a copy of it. */
function spooled(plant: Plant): string[] {
  const folder = plant.path('state', plant.site.siteId, 'plc-A1', 'spool', 'route');
  if (!existsSync(folder)) return [];
  const copy = plant.path('copy');
  cpSync(folder, copy, { recursive: true });
  const { spoolKey } = readEnrolment(engine, deviceFolder(plant.config, 'plc-A1'));
  const onProblem = ({ detail }: { detail: string }): never => {
    throw new Error(detail);
  };
  const spool = new Spool({ folder: copy, engine, key: spoolKey, limitBytes: 1, disk: realDisk, onProblem });
  const found = Object.values(contents(spool));
  rmSync(copy, { recursive: true });
  return found;
}

/** How often each reading stands in the folder of the receiver. */
function arrivals(plant: Plant): Map<string, number> {
  const counts = new Map<string, number>();
  const folder = plant.path('in', 'plc-A1', 'readings');
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    for (const line of linesOf(readFileSync(join(folder, name), 'utf8'))) {
      const { data } = JSON.parse(line) as { data: string };
      counts.set(data, (counts.get(data) ?? 0) + 1);
    }
  }
  return counts;
}

/** Lets what the spool holds be delivered, and ends both clients. */
async function drain(t: Test, plant: Plant, argv: readonly string[], receiver: ReturnType<Plant['receiver']>) {
  const last = plant.sender(['--once', '--json', ...argv]);
  last.child.stdin!.end();
  await endsWith(t, last, 0);
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  return lastJson(last.stdout());
}

t.test('every reading that the spool had taken arrives exactly once', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver(['--output', plant.path('in'), '--json']);
  await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  const taken = new Set<string>();
  let next = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const sender = plant.sender(['--stdin']);
    // Every third dies while it starts; the others at any moment of their work.
    const endMs = performance.now() + (kill % 3 === 2 ? 600 : 500 + Math.random() * 1500);
    while (performance.now() < endMs) {
      feed(sender, [`reading ${next++}`, `reading ${next++} ${'x'.repeat(Math.random() * 200)}`]);
      await sleep(2);
    }
    sender.child.kill('SIGKILL');
    await sender.ended;
    for (const reading of spooled(plant)) taken.add(reading);
  }
  const last = await drain(t, plant, ['--stdin'], receiver);
  t.match(last, { ok: true, undelivered: 0, lost: 0 });
  const arrived = arrivals(plant);
  t.ok(taken.size > KILLS * 10, `${taken.size} readings were in a spool at a kill, ${arrived.size} arrived of ${next}`);
  t.strictSame(
    [...taken].filter((reading) => !arrived.has(reading)),
    [],
    'taken and lost',
  );
  t.strictSame(
    [...arrived].filter(([, times]) => times > 1),
    [],
    'arrived more than once',
  );
  t.strictSame(spooled(plant), []);
});

t.test('files of a watched folder arrive whole and once, whenever the sender is killed', async (t) => {
  const plant = await makePlant(t);
  const receiver = plant.receiver(['--output', plant.path('in'), '--json']);
  await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
  const folder = plant.path('out');
  mkdirSync(folder);
  const wanted = new Map<string, string>();
  const watch = ['--watch', folder, '--settle', '0'];
  for (let kill = 0; kill < Math.ceil(KILLS / 2); kill++) {
    for (const part of ['a', 'b']) {
      const bytes = randomBytes(Math.random() * 300_000);
      const name = `report-${kill}-${part}.csv`;
      writeFileSync(join(folder, `.${name}`), bytes);
      renameSync(join(folder, `.${name}`), join(folder, name));
      wanted.set(name, createHash('sha256').update(bytes).digest('hex'));
    }
    const sender = plant.sender(watch);
    await sleep(400 + Math.random() * 1200);
    sender.child.kill('SIGKILL');
    await sender.ended;
  }
  await drain(t, plant, watch, receiver);
  const files = plant.path('in', 'plc-A1', 'files');
  const found = readdirSync(files).map((name): [string, string] => [
    name,
    createHash('sha256')
      .update(readFileSync(join(files, name)))
      .digest('hex'),
  ]);
  t.strictSame(new Map(found), wanted, 'all of them, none twice');
  t.strictSame(readdirSync(join(folder, '.sent')).sort(), [...wanted.keys()].sort());
  t.strictSame(readdirSync(folder).sort(), ['.quarantine', '.sent']);
});

t.test('a clock that steps a day forth and back changes nothing but the times', async (t) => {
  const plant = await makePlant(t);
  await introduceReceiver(plant);
  const receiver = plant.receiver(['--output', plant.path('in'), '--json']);
  for (const [i, day] of ['+0', '+1d', '-1d', '+0'].entries()) {
    const sender = plant.sender(['--stdin', '--once'], { through: day === '+0' ? [] : ['faketime', '-f', day] });
    sender.child.stdin!.end(`on day ${i}\n`);
    await endsWith(t, sender, 0);
  }
  receiver.child.kill('SIGTERM');
  await endsWith(t, receiver, 0);
  t.strictSame(
    [...arrivals(plant)].sort(),
    [0, 1, 2, 3].map((i) => [`on day ${i}`, 1]),
  );
  t.match(lastJson(receiver.stdout()), { records: 4, duplicates: 0, rejects: 0, missingBlocks: 0 });
});

t.test(
  'a spool that is put back from a backup is noticed: nothing that it holds is let go, and a new run begins',
  async (t) => {
    const plant = await makePlant(t);
    const receiver = plant.receiver(['--output', plant.path('in'), '--json']);
    await until('the receiver', () => receiver.stderr().includes('waits for readings'), receiver.stderr);
    const send = async (first: number, count: number, code: number): Promise<Record<string, unknown>> => {
      const sender = plant.sender(['--stdin', '--once', '--json']);
      sender.child.stdin!.end(Array.from({ length: count }, (_, i) => `reading ${first + i}\n`).join(''));
      await endsWith(t, sender, code);
      return lastJson(sender.stdout());
    };
    const spool = plant.path('state', plant.site.siteId, 'plc-A1', 'spool');
    await send(0, 10, 0);
    cpSync(spool, plant.path('backup'), { recursive: true });
    await send(10, 10, 0);
    rmSync(spool, { recursive: true });
    cpSync(plant.path('backup'), spool, { recursive: true });
    t.match(await send(20, 3, 1), { ok: false, code: 'spool-older', delivered: 0, undelivered: 3 });
    t.match(await drain(t, plant, ['--stdin'], receiver), { ok: true, delivered: 3 });
    t.strictSame([...arrivals(plant).values()], Array(23).fill(1));
  },
);
