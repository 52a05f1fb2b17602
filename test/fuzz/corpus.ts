/** The inputs that are worth changing: the seeds, and each that reached code which none reached before. */
import type { Random } from './random.ts';

const MAX_INPUTS = 1024;
const MAX_BYTES = 4_194_304;
/** Inputs that were found last are changed more often than the others. */
const NEWEST = 16;

export class Corpus {
  readonly #seeds: readonly Uint8Array[];
  #found: Uint8Array[] = [];
  #foundBytes = 0;
  #foundEver = 0;

  /** Begins with `seeds`, which stay. */
  constructor(seeds: readonly Uint8Array[]) {
    this.#seeds = seeds;
  }

  /** How many inputs were ever added to the seeds. */
  get size(): number {
    return this.#foundEver;
  }

  pick(random: Random): Uint8Array {
    if (this.#found.length === 0 || random.once(4)) return random.pick(this.#seeds);
    return random.pick(random.once(2) ? this.#found : this.#found.slice(-NEWEST));
  }

  /** Adds an input; when there are too many, others make room by chance. */
  add(input: Uint8Array, random: Random): void {
    this.#found.push(input);
    this.#foundBytes += input.length;
    this.#foundEver++;
    while (this.#found.length > MAX_INPUTS || (this.#foundBytes > MAX_BYTES && this.#found.length > 1)) {
      const [dropped] = this.#found.splice(random.below(this.#found.length - 1), 1);
      this.#foundBytes -= dropped!.length;
    }
  }
}
