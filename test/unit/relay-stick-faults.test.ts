/**
 * The fault matrix of the stick: a step that changes something fails once, with its effect or without, or everything
 * fails from it on, or the power is cut there. No record that was called durable may be missing. `npm run test:long --
 * stick` does it for each step; here for some of each kind.
 */
import t from 'tap';
import { MemoryStick } from '../fixtures/memory-stick.ts';
import { cleanRun, missing, missingAfterFault, type Promised, stickRun } from '../fixtures/stick-run.ts';

const { steps } = await cleanRun();

t.test('one step fails, and then the power', async (t) => {
  const numbers = steps.flatMap((step, number) =>
    // Allocating writes one piece after the other.
    step === 'write' && steps[number - 1] === 'write' ? [] : number,
  );
  for (const [i, number] of numbers.entries()) {
    const kept = i % 2 === 0;
    if (i % 5 < 2)
      t.same(await missingAfterFault(number, kept), [], `step ${number} (${steps[number]}), kept: ${kept}`);
  }
});

t.test('from one step on everything fails: what was promised before stays', async (t) => {
  for (let number = 0; number < steps.length - 20; number += 31) {
    const disk = new MemoryStick();
    disk.faultAt = (at) => (at >= number ? { kept: at % 2 === 0, code: 'EIO' } : undefined);
    const { promised, degraded } = await stickRun(disk);
    t.ok(degraded, `from step ${number} on nobody is told that it is durable`);
    t.same(await missing(disk.cut(0), promised), []);
  }
});

t.test('the power is cut at any step', async (t) => {
  for (let number = 0; number < steps.length; number += 13) {
    const disk = new MemoryStick();
    let cut: { readonly disk: MemoryStick; readonly promised: Promised } | undefined;
    const promised: Promised = new Map();
    disk.faultAt = (at) => {
      if (at === number) cut = { disk: disk.cut((number % 3) / 2), promised: new Map(promised) };
      return undefined;
    };
    await stickRun(disk, promised);
    t.same(await missing(cut!.disk, cut!.promised), [], `cut at step ${number}`);
  }
});
