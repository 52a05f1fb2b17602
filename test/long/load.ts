/** Many blocks in a row at many clients, with each store. */
import { loadRun } from '../fixtures/load-run.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';
import { mebibytes } from '../fixtures/resident-memory.ts';
import { runPart } from './part.ts';

/**
 * What may come on top from the second to the last quarter: 3 KiB for each ended transfer that is remembered (3 MiB for
 * 2,000 blocks), and the rest for a heap that finds its size. Three blocks of 5 MiB that stay would be above it.
 */
const MOST_GROWTH_MIB = 15;
const REPORT_EVERY = 500;

await runPart({
  name: 'load',
  what: 'blocks in a row at many clients, with each store: once each, no refusal, memory flat',
  options: {
    blocks: { standard: 2000, help: 'how many, with each store' },
    clients: { standard: 32, help: 'how many at a time, half of them senders' },
    bytes: { standard: 5_242_880, help: 'of a block' },
  },
  async run(scene, { blocks, clients, bytes }) {
    const faults: string[] = [];
    const figures: Record<string, number> = {};
    for (const kind of ['slab', 'tmpfs'] as const) {
      const { books, refusals, memory, seconds } = await loadRun(scene, {
        directory: scene.directory,
        store: kind === 'slab' ? { kind } : { kind, path: blocksFolder(scene) },
        clients,
        blocks,
        blockBytes: bytes,
        onBlock: (delivered) => {
          if (delivered % REPORT_EVERY === 0) scene.say(`${kind}: ${delivered} blocks delivered`);
        },
      });
      const growthMiB = mebibytes(memory.growth);
      const { accepted, given } = books.counts;
      if (accepted !== blocks || given !== blocks) faults.push(`${kind}: ${accepted} accepted, ${given} given`);
      faults.push(...[...refusals, ...books.faults].map((fault) => `${kind}: ${fault}`));
      if (growthMiB > MOST_GROWTH_MIB) faults.push(`${kind}: memory grew by ${growthMiB} MiB`);
      Object.assign(figures, {
        [`${kind}.delivered`]: given,
        [`${kind}.refusals`]: refusals.length,
        [`${kind}.rssMiB`]: mebibytes(memory.most),
        [`${kind}.growthMiB`]: growthMiB,
        [`${kind}.seconds`]: Math.round(seconds),
      });
    }
    return { faults, figures };
  },
});
