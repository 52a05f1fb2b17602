/** Memory that does not come back: what a process holds after the garbage is collected. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc'); // contexts that are made after this have it
const gc = runInNewContext('gc') as NonNullable<typeof globalThis.gc>;

const MIB = 1_048_576;
/** How much more a process may hold at the end than after its warm-up. */
const GROWTH_LIMIT = { rssMiB: 64, heapMiB: 24 } as const;

export interface Held {
  readonly rssMiB: number;
  /** Objects, and the bytes of buffers. */
  readonly heapMiB: number;
}

/** What the process holds now, without garbage. */
export function heldNow(): Held {
  for (let i = 0; i < 2; i++) gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rssMiB: rss / MIB, heapMiB: (heapUsed + external) / MIB };
}

/** One sentence when more was held in the end than memory that is flat allows. */
export function leakBetween(before: Held, after: Held): string | null {
  for (const what of ['rssMiB', 'heapMiB'] as const) {
    const growth = after[what] - before[what];
    const limit = GROWTH_LIMIT[what];
    if (growth > limit) return `${what} grew by ${growth.toFixed(1)} since the warm-up, at most ${limit}`;
  }
  return null;
}

/** Bytes of objects and buffers that are alive or not collected yet. */
export function bytesInUse(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
