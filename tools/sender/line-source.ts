/** Readings from a byte stream, one a line. Where the policy is to wait, it is not read while there is no room. */
import type { Readable } from 'node:stream';
import { Problem } from '../../protocol/problem.ts';
import type { Clock } from '../lib/slot-clock.ts';
import type { Admission } from './admission.ts';

const NEWLINE = 0x0a;
const FULL_POLL_MS = 50;

export interface LineSourceOptions {
  readonly admission: Admission;
  /** Longest line; a longer one is refused, named, and skipped. */
  readonly maxLineBytes: number;
  readonly clock: Clock;
  readonly wallMs: () => number;
  readonly onProblem: (problem: Problem) => void;
}

/** Lines that are being read; `done` gives how many were too long to take. */
export interface LineReading {
  readonly done: Promise<number>;
  end(): void;
}

/** Begins to read lines, until `signal` aborts or `end` is called. Whoever waits for `done` hears of a failure. */
export function startLines(input: Readable, options: LineSourceOptions, signal: AbortSignal): LineReading {
  const end = new AbortController();
  const done = readLines(input, options, AbortSignal.any([signal, end.signal]));
  done.catch(() => {});
  return { done, end: () => end.abort() };
}

/** Takes in every line of `input` until it ends or `signal` aborts. Gives how many lines were too long to take. */
export async function readLines(input: Readable, options: LineSourceOptions, signal: AbortSignal): Promise<number> {
  const splitter = new LineSplitter(options);
  const end = (): void => void input.destroy();
  signal.addEventListener('abort', end);
  if (signal.aborted) end();
  try {
    for await (const chunk of input) {
      splitter.push(chunk as Buffer);
      while (options.admission.mustWait && !signal.aborted) await options.clock.sleep(FULL_POLL_MS, signal);
    }
  } catch (thrown) {
    if (!signal.aborted) throw thrown;
  } finally {
    signal.removeEventListener('abort', end);
  }
  if (!signal.aborted) splitter.end();
  options.admission.flush();
  return splitter.tooLong;
}

class LineSplitter {
  readonly #options: LineSourceOptions;
  #rest: Buffer[] = [];
  #restBytes = 0;
  #lines = 0;
  tooLong = 0;

  constructor(options: LineSourceOptions) {
    this.#options = options;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.#keep(chunk.subarray(from, at));
      this.#line();
      from = at + 1;
    }
    this.#keep(chunk.subarray(from));
  }

  end(): void {
    if (this.#restBytes > 0) this.#line();
  }

  /** Bytes of a line beyond the longest one are counted, not kept. */
  #keep(part: Buffer): void {
    this.#restBytes += part.length;
    if (this.#restBytes <= this.#options.maxLineBytes) this.#rest.push(part);
  }

  #line(): void {
    const { admission, maxLineBytes, wallMs, onProblem } = this.#options;
    this.#lines += 1;
    if (this.#restBytes > maxLineBytes) {
      this.tooLong += 1;
      const fact = `line ${this.#lines} has ${this.#restBytes} bytes, the longest record has ${maxLineBytes}`;
      onProblem(new Problem('payload-invalid', fact));
    } else {
      admission.addRecord(new Uint8Array(Buffer.concat(this.#rest)), Math.trunc(wallMs()));
    }
    this.#rest = [];
    this.#restBytes = 0;
  }
}
