/**
 * The fuzzer: it changes inputs, keeps those that reach code which none reached before, and changes them again.
 *
 * An input may be accepted or refused with a `Problem` whose code is not `internal`. Anything else thrown, an accepted
 * input that does not re-encode to itself, more than two seconds, memory far beyond the input and memory that
 * does not come back are failures. The same seed makes the same choices, but signatures and sealed blocks are new in each
 * process: what repeats a failure is its input, not its number.
 */
import { setImmediate } from 'node:timers/promises';
import { Problem } from '../../protocol/problem.ts';
import { Corpus } from './corpus.ts';
import type { Coverage } from './coverage.ts';
import { type Failure, Failures } from './failures.ts';
import { runGuarded } from './guard.ts';
import { bytesInUse, type Held, heldNow, leakBetween } from './memory.ts';
import { Random } from './random.ts';
import { Broken, type Target } from './target.ts';

const BATCH_BYTES = 4_194_304;
/** After this long the loop lets the process breathe. */
const SLICE_MS = 300;
/** An input that takes longer is counted; one that takes longer than the limit three times is a failure. */
const SLOW_MS = 50;
const INPUT_LIMIT_MS = 2000;
/** What one input may make the parser allocate: the longest plain data, four times. */
const MEMORY_LIMIT = 67_108_864;
/** Loops that never ended cost seconds each; after so many the rest of the target is left out. */
const MAX_HANGS = 3;
const PROGRESS_MS = 1000;
/** The part of all inputs after which memory should be flat. */
const WARM_UP = 0.25;

export interface FuzzOptions {
  readonly inputs: number;
  readonly seed: string;
  /** How long one input may take; when left out 2000, and 20000 where it goes over the network. */
  readonly limitMs?: number;
  /** How many inputs share one look at the coverage; few where an input is slow, since they may have to run again. */
  readonly batch?: number;
  /** Without it the corpus stays as it is at the beginning. */
  readonly coverage?: Coverage;
  /** Told about once a second how many inputs were tried. */
  readonly onProgress?: (inputs: number) => void;
  /** Asked between batches. */
  readonly stopped?: () => boolean;
}

export interface Report {
  readonly target: string;
  readonly inputs: number;
  readonly accepted: number;
  /** How many inputs were refused, by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Inputs that reached new code, and how many characters of code all of them reached. */
  readonly corpus: number;
  readonly covered: number;
  /** Inputs that took more than 50 ms, and the longest time of one. */
  readonly slow: number;
  readonly slowestMs: number;
  readonly seconds: number;
  readonly growth: Held;
  readonly failures: readonly Failure[];
}

/** Fuzzes one target. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<Report> {
  const run = new Run(target, options);
  run.trySeeds();
  let warm: Held | null = null;
  let saidMs = performance.now();
  while (run.goesOn) {
    if (!warm && run.inputs >= options.inputs * WARM_UP) warm = heldNow();
    run.tryBatch();
    if (performance.now() > saidMs + PROGRESS_MS) {
      saidMs = performance.now();
      options.onProgress?.(run.inputs);
    }
    await setImmediate();
  }
  return run.finish(warm ?? heldNow());
}

class Run {
  inputs = 0;
  readonly #target: Target;
  readonly #options: FuzzOptions;
  readonly #limitMs: number;
  readonly #random: Random;
  readonly #corpus: Corpus;
  readonly #failures = new Failures();
  readonly #refused: Record<string, number> = {};
  readonly #started = performance.now();
  #accepted = 0;
  #slow = 0;
  #slowestMs = 0;
  #hangs = 0;
  /** The input that runs now; `undefined` between them. */
  #current: Uint8Array | undefined;

  constructor(target: Target, options: FuzzOptions) {
    this.#target = target;
    this.#options = options;
    this.#limitMs = options.limitMs ?? INPUT_LIMIT_MS;
    this.#random = new Random(`${options.seed} ${target.name}`);
    this.#corpus = new Corpus(target.seeds);
  }

  get goesOn(): boolean {
    return this.inputs < this.#options.inputs && this.#hangs < MAX_HANGS && !this.#options.stopped?.();
  }

  trySeeds(): void {
    for (const [i, seed] of this.#target.seeds.entries()) {
      const before = this.#accepted;
      this.#runAll([seed], true);
      if (this.#accepted === before) this.#failures.add('seed', `seed ${i} is not accepted`, seed);
    }
    const { coverage } = this.#options;
    const fresh = coverage?.fresh();
    if (fresh) coverage!.merge(fresh);
  }

  tryBatch(): void {
    const batch = this.#makeBatch(Math.min(this.#options.batch ?? 64, this.#options.inputs - this.inputs));
    this.#runAll(batch, true);
    if (this.#options.coverage?.fresh()) this.#keepFresh(batch, this.#options.coverage);
    this.inputs += batch.length;
  }

  finish(warm: Held): Report {
    const held = heldNow();
    const leak = leakBetween(warm, held);
    if (leak) this.#failures.add('leak', leak, new Uint8Array(0));
    return {
      target: this.#target.name,
      inputs: this.inputs,
      accepted: this.#accepted,
      refused: this.#refused,
      corpus: this.#corpus.size,
      covered: this.#options.coverage?.size ?? 0,
      slow: this.#slow,
      slowestMs: this.#slowestMs,
      seconds: (performance.now() - this.#started) / 1000,
      growth: { rssMiB: held.rssMiB - warm.rssMiB, heapMiB: held.heapMiB - warm.heapMiB },
      failures: this.#failures.all,
    };
  }

  #makeBatch(count: number): Uint8Array[] {
    const batch: Uint8Array[] = [];
    for (let bytes = 0; batch.length < count && bytes < BATCH_BYTES; ) {
      const input = this.#target.mutate(this.#random, this.#corpus.pick(this.#random), this.#corpus.pick(this.#random));
      batch.push(input);
      bytes += input.length;
    }
    return batch;
  }

  /** Runs again what reached something new, in halves, until single inputs are left; these are kept. */
  #keepFresh(inputs: readonly Uint8Array[], coverage: Coverage): void {
    this.#runAll(inputs, false);
    const fresh = coverage.fresh();
    if (!fresh) return;
    if (inputs.length === 1) {
      coverage.merge(fresh);
      this.#corpus.add(inputs[0]!, this.#random);
      return;
    }
    const middle = inputs.length >> 1;
    this.#keepFresh(inputs.slice(0, middle), coverage);
    this.#keepFresh(inputs.slice(middle), coverage);
  }

  /** Runs inputs one after the other; an endless one is ended. Only the first time of an input is judged. */
  #runAll(inputs: readonly Uint8Array[], judged: boolean): void {
    for (let at = 0; at < inputs.length; ) {
      const slice = (): void => {
        const until = performance.now() + SLICE_MS;
        while (at < inputs.length && performance.now() < until) {
          this.#current = inputs[at];
          if (judged) this.#judge(inputs[at]!);
          else this.#attempt(inputs[at]!);
          at++;
        }
        this.#current = undefined;
      };
      if (runGuarded(slice, SLICE_MS + 2 * this.#limitMs)) continue;
      if (judged) this.#failures.add('hang', `did not end within ${this.#limitMs} ms`, this.#current!);
      this.#hangs++;
      at++;
    }
  }

  #judge(input: Uint8Array): void {
    const bytesBefore = bytesInUse();
    const { thrown, ms } = this.#attempt(input);
    const bytes = bytesInUse() - bytesBefore;
    if (thrown === undefined) this.#accepted++;
    else if (thrown instanceof Problem && thrown.code !== 'internal') {
      this.#refused[thrown.code] = (this.#refused[thrown.code] ?? 0) + 1;
    } else this.#failures.add(thrown instanceof Broken ? 'broken' : 'crash', thrown, input);

    if (ms > SLOW_MS) this.#slow++;
    this.#slowestMs = Math.max(this.#slowestMs, ms);
    if (ms > this.#limitMs && this.#attempt(input).ms > this.#limitMs) {
      this.#failures.add('slow', `${input.length} bytes take ${Math.round(ms)} ms`, input);
    }
    if (bytes > MEMORY_LIMIT) {
      this.#failures.add('memory', `${input.length} bytes make it allocate ${bytes}`, input);
    }
  }

  #attempt(input: Uint8Array): { readonly thrown: unknown; readonly ms: number } {
    const before = performance.now();
    let thrown: unknown;
    try {
      this.#target.run(input);
    } catch (error) {
      thrown = error;
    }
    return { thrown, ms: performance.now() - before };
  }
}
