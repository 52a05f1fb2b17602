/**
 * Which code ran: V8's precise coverage with block granularity, taken through the inspector of this process.
 *
 * Measured on two cores: parsers run a third slower, and taking it costs 1.3 ms; so it is taken once for a batch of
 * inputs, and only a batch that reached something new is halved until the input is found that did.
 */
import { type Profiler, Session } from 'node:inspector';

/** The product's own code. */
const PRODUCT = /\/(protocol|relay|tools)\/[^?]*\.ts$/;

export class Coverage {
  readonly #session = new Session();
  /** By function: which of its characters ever ran. Only `merge` writes it. */
  readonly #seen = new Map<string, Uint8Array>();

  readonly #counted: RegExp;

  /** Begins, for files whose URL matches `counted`; code that was loaded before is counted by functions only. */
  constructor(counted: RegExp = PRODUCT) {
    this.#counted = counted;
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** How many characters of code ever ran. */
  get size(): number {
    return [...this.#seen.values()].reduce((sum, ran) => sum + ran.reduce((count, bit) => count + bit, 0), 0);
  }

  /** What ran since the last call and never before; null when there is nothing. */
  fresh(): ReadonlyMap<string, Uint8Array> | null {
    const fresh = new Map<string, Uint8Array>();
    for (const { url, functions } of this.#take()) {
      if (!this.#counted.test(url)) continue;
      for (const { functionName, ranges } of functions) {
        const { startOffset, endOffset } = ranges[0]!;
        const key = `${url} ${functionName} ${startOffset}-${endOffset}`;
        const ran = charactersRun(ranges);
        const seen = this.#seen.get(key);
        if (ran.some((bit, at) => bit === 1 && seen?.[at] !== 1)) fresh.set(key, ran);
      }
    }
    return fresh.size === 0 ? null : fresh;
  }

  /** Counts what `fresh` gave as seen. */
  merge(fresh: ReadonlyMap<string, Uint8Array>): void {
    for (const [key, ran] of fresh) {
      const seen = this.#seen.get(key);
      if (!seen) this.#seen.set(key, ran);
      else for (const [at, bit] of ran.entries()) seen[at]! |= bit;
    }
  }

  close(): void {
    this.#session.disconnect();
  }

  /** The inspector of the own process answers before `post` returns. */
  #take(): readonly Profiler.ScriptCoverage[] {
    let taken: readonly Profiler.ScriptCoverage[] = [];
    this.#session.post('Profiler.takePreciseCoverage', (error, { result }) => {
      if (error) throw error;
      taken = result;
    });
    return taken;
  }
}

/** One for each character of a function that ran; ranges come nested, the outer first. */
function charactersRun(ranges: readonly Profiler.CoverageRange[]): Uint8Array {
  const { startOffset: base, endOffset } = ranges[0]!;
  const ran = new Uint8Array(endOffset - base);
  for (const { startOffset, endOffset: end, count } of ranges)
    ran.fill(count > 0 ? 1 : 0, startOffset - base, end - base);
  return ran;
}
