/** 32 clients at once at a relay that is a process: every block through once, no refusal, no memory kept of blocks. */
import t from 'tap';
import { loadRun } from '../fixtures/load-run.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';
import { mebibytes } from '../fixtures/resident-memory.ts';

t.setTimeout(120_000);

const BLOCKS = 300;
const BLOCK_BYTES = 524_288;
/**
 * A run as short as this sees the heap find its size: 21 MiB were measured. If the relay kept the blocks, half of them
 * would stand between the two medians: 75 MiB. `npm run test:long -- load` is the finer look.
 */
const MOST_GROWTH_MIB = 48;

for (const kind of ['slab', 'tmpfs'] as const) {
  t.test(`${kind}: ${BLOCKS} blocks in a row`, async (t) => {
    const { books, refusals, memory } = await loadRun(t, {
      directory: t.testdir(),
      store: kind === 'slab' ? { kind } : { kind, path: blocksFolder(t) },
      clients: 32,
      blocks: BLOCKS,
      blockBytes: BLOCK_BYTES,
    });
    t.same(refusals, [], 'no refusal while a slot is free');
    t.same(books.counts, { accepted: BLOCKS, given: BLOCKS, burned: BLOCKS });
    t.same(books.faults, []);
    t.same(books.lost(), []);
    const growth = mebibytes(memory.growth);
    t.ok(growth <= MOST_GROWTH_MIB, `memory grew by ${growth} MiB`);
  });
}
