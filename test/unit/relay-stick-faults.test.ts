/**
 * The fault matrix of the stick: every step that changes something fails once, with its effect or without, and once for
 * good; then the power is cut. No record that was called durable may be missing.
 */
import t from 'tap';
import { ADOPTED, openingOf } from '../fixtures/audit.ts';
import { MemoryStick } from '../fixtures/memory-stick.ts';
import { startOnStick } from '../fixtures/stick.ts';

/** What was promised, by origin: so many records are durable. */
type Promised = Map<string, number>;

/** A run over two epochs, one of which fills a bundle. */
async function run(
  disk: MemoryStick,
  promised: Promised = new Map(),
): Promise<{ promised: Promised; degraded: boolean }> {
  const log = await startOnStick(disk, { maxLeaves: 300 });
  let degraded = false;
  for (let i = 0; i < 310; i++) {
    const { origin, index } = log.sequencer.record(ADOPTED);
    if (i % 100 === 0 || i > 297) {
      if ((await log.stick.settled()) === 'durable') promised.set(origin, index + 1);
      else degraded = true;
    }
    if (i % 100 === 99) await log.pass(2500);
  }
  await log.pass(3000);
  await log.pass(3000);
  const { origin, index } = log.sequencer.record(ADOPTED);
  if ((await log.stick.settled()) === 'durable') promised.set(origin, index + 1);
  return { promised, degraded };
}

async function cleanRun(): Promise<MemoryStick> {
  const disk = new MemoryStick();
  await run(disk);
  return disk;
}

/** Starts anew on what a cut left; everything that was promised must be there, and its roots are those that were signed. */
async function missing(disk: MemoryStick, promised: Promised): Promise<string[]> {
  const next = await startOnStick(disk);
  const { prev } = openingOf(next.sequencer.epochs.at(-1)!);
  const sizes = new Map(next.epochs.kept.map(({ origin, size }) => [origin, size]));
  const [last] = [...promised].slice(-1);
  const lost = [...promised].filter(([origin, below]) => sizes.has(origin) && sizes.get(origin)! < below);
  if (last && !sizes.has(last[0])) lost.push(last);
  if (next.sequencer.mode !== 'required') lost.push([next.stick.alarm!, 0]);
  if (last && !('origin' in prev && sizes.has(prev.origin))) lost.push([`prev is ${prev.source}`, 0]);
  await next.sequencer.close();
  return lost.map(([origin, below]) => `${origin} below ${below}: ${sizes.get(origin)} are there`);
}

t.test('one step fails, and then the power', async (t) => {
  const clean = await cleanRun();
  const steps = clean.steps.length;
  // Allocating writes one piece after the other: one of them stands for all.
  const numbers = clean.steps.flatMap((step, number) =>
    step === 'write' && clean.steps[number - 1] === 'write' && clean.steps[number + 1] === 'write' ? [] : number,
  );
  t.comment(`${steps} steps, ${numbers.length} of them fail`);
  for (const kept of [false, true]) {
    for (const number of numbers) {
      const disk = new MemoryStick();
      disk.faultAt = (at) => (at === number ? { kept, code: 'EIO' } : undefined);
      const { promised } = await run(disk);
      const what = `step ${number} (${clean.steps[number]}), effect ${kept ? 'kept' : 'lost'}`;
      t.ok(promised.size > 0, `${what}: it went on`);
      t.same(await missing(disk.cut((number % 3) / 2), promised), [], what);
    }
  }
});

t.test('from one step on everything fails: what was promised before stays', async (t) => {
  const { steps } = await cleanRun();
  for (let number = 0; number < steps.length - 20; number += 17) {
    const disk = new MemoryStick();
    disk.faultAt = (at) => (at >= number ? { kept: at % 2 === 0, code: 'EIO' } : undefined);
    const { promised, degraded } = await run(disk);
    t.ok(degraded, `from step ${number} on nobody is told that it is durable`);
    t.same(await missing(disk.cut(0), promised), []);
  }
});

t.test('the power is cut at any step', async (t) => {
  const { steps } = await cleanRun();
  for (let number = 0; number < steps.length; number += 5) {
    const disk = new MemoryStick();
    let cut: { readonly disk: MemoryStick; readonly promised: Promised } | undefined;
    const promised: Promised = new Map();
    disk.faultAt = (at) => {
      if (at === number) cut = { disk: disk.cut((number % 3) / 2), promised: new Map(promised) };
      return undefined;
    };
    await run(disk, promised);
    t.same(await missing(cut!.disk, cut!.promised), [], `cut at step ${number}`);
  }
});
