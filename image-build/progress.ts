/** What a person sees while an image is built: each step, and how long it took. */

export interface Timing {
  readonly step: string;
  readonly seconds: number;
}

export class Progress {
  readonly timings: Timing[] = [];
  readonly #say: (line: string) => void;
  readonly #now: () => number;

  /** `say` prints a line; `now` gives milliseconds of a clock that only grows. */
  constructor(say: (line: string) => void, now: () => number) {
    this.#say = say;
    this.#now = now;
  }

  /** Runs `work` as `step`, and notes its time also when it fails. */
  async step<T>(step: string, work: () => T | Promise<T>): Promise<T> {
    const begin = this.#now();
    try {
      return await work();
    } finally {
      const seconds = Math.round((this.#now() - begin) / 100) / 10;
      this.timings.push({ step, seconds });
      this.#say(`${step.padEnd(34)} ${seconds.toFixed(1).padStart(6)} s`);
    }
  }
}
