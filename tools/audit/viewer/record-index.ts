/** What is kept of each record that holds, so that a million of them can be filtered: its time and its category. */
import { ACTIONS, CATEGORIES, type Category } from '../../../protocol/log-action.ts';
import type { LogEvent } from '../../../protocol/log-record.ts';
import { TILE_WIDTH } from '../../../protocol/tile.ts';

/** How many records of each category fell into each step of time. */
export interface Timeline {
  readonly fromMs: number;
  readonly stepMs: number;
  readonly counts: Readonly<Record<Category, readonly number[]>>;
}

const NONE = 255;
const STEPS = 96;

export class RecordIndex {
  /** They grow with the records that are there: the size of a tree may be anybody's invention. */
  #times = new Float64Array(TILE_WIDTH);
  /** Number of the category; 255 for a leaf whose record does not hold or was not read. */
  #categories = new Uint8Array(TILE_WIDTH).fill(NONE);
  #held = 0;

  /** Records that hold. */
  get held(): number {
    return this.#held;
  }

  add({ i, t, act }: LogEvent): void {
    if (i >= this.#times.length) this.#grow(2 ** Math.ceil(Math.log2(i + 1)));
    this.#times[i] = t;
    this.#categories[i] = CATEGORIES.indexOf(ACTIONS[act].category);
    this.#held += 1;
  }

  holds(i: number): boolean {
    return (this.#categories[i] ?? NONE) !== NONE;
  }

  categoryOf(i: number): Category | undefined {
    return CATEGORIES[this.#categories[i] ?? NONE];
  }

  timeOf(i: number): number {
    return this.#times[i]!;
  }

  /** Calls `visit` with each record that holds, in order. */
  each(visit: (category: Category, t: number) => void): void {
    for (const [i, category] of this.#categories.entries()) {
      if (category !== NONE) visit(CATEGORIES[category]!, this.#times[i]!);
    }
  }

  #grow(length: number): void {
    const [times, categories] = [new Float64Array(length), new Uint8Array(length).fill(NONE)];
    times.set(this.#times);
    categories.set(this.#categories);
    [this.#times, this.#categories] = [times, categories];
  }
}

/** The records of all epochs over time; null when there is none. */
export function timelineOf(epochs: readonly RecordIndex[]): Timeline | null {
  let [first, last] = [Infinity, -Infinity];
  for (const epoch of epochs)
    epoch.each((_, t) => {
      first = Math.min(first, t);
      last = Math.max(last, t);
    });
  if (first > last) return null;
  const stepMs = Math.max(1000, Math.ceil((last - first + 1) / STEPS / 1000) * 1000);
  const steps = Math.floor((last - first) / stepMs) + 1;
  const counts = Object.fromEntries(CATEGORIES.map((category) => [category, new Array<number>(steps).fill(0)]));
  for (const epoch of epochs)
    epoch.each((category, t) => {
      const row = counts[category]!;
      const step = Math.floor((t - first) / stepMs);
      row[step] = row[step]! + 1;
    });
  return { fromMs: first, stepMs, counts: counts as Record<Category, number[]> };
}
