/** Sender, relay and receiver over many slots. */
import { mebibytes } from '../fixtures/resident-memory.ts';
import { slotsRun } from '../fixtures/slots-run.ts';
import { runPart } from './part.ts';

/** A heap finds its size for a while; what a slot left behind for good would be 64 KiB, 187 MiB over half of the slots. */
const MOST_GROWTH_MIB = 15;

await runPart({
  name: 'slots',
  what: 'sender, relay and receiver over many slots of 0.1 s: nothing lost, memory of all three flat',
  options: { slots: { standard: 6000, help: 'how many' } },
  async run(scene, { slots }) {
    const { fed, received, memory, sender } = await slotsRun(scene, scene.directory, slots);
    const faults: string[] = received === fed ? [] : [`${fed} readings went in, ${received} came out`];
    const figures: Record<string, number> = { readings: received, blocks: sender.blocks as number };
    for (const [part, { most, growth }] of Object.entries(memory)) {
      const growthMiB = mebibytes(growth);
      if (growthMiB > MOST_GROWTH_MIB) faults.push(`the ${part} grew by ${growthMiB} MiB`);
      Object.assign(figures, { [`${part}.rssMiB`]: mebibytes(most), [`${part}.growthMiB`]: growthMiB });
    }
    return { faults, figures };
  },
});
