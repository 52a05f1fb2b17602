/** How far long work is, on standard error: a line that is written over in a terminal, elsewhere a line now and then. */
import type { Writable } from 'node:stream';

const TERMINAL_MS = 200;
const PLAIN_MS = 5000;

interface Screen extends Writable {
  readonly isTTY?: boolean;
}

export class Progress {
  readonly #what: string;
  readonly #out: Screen;
  readonly #now: () => number;
  #lastMs: number;
  #drawn = false;

  /** `now` gives monotonic milliseconds. */
  constructor(what: string, out: Screen = process.stderr, now: () => number = () => performance.now()) {
    this.#what = what;
    this.#out = out;
    this.#now = now;
    this.#lastMs = now();
  }

  /** Says it when the last line is old enough. */
  show(done: number, all: number): void {
    const now = this.#now();
    if (now - this.#lastMs < (this.#out.isTTY ? TERMINAL_MS : PLAIN_MS)) return;
    this.#lastMs = now;
    const line = `${this.#what}: ${done} of ${all} log records`;
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${line}` : `${line}\n`);
    this.#drawn = this.#out.isTTY === true;
  }

  /** Wipes the line of a terminal. */
  end(): void {
    if (this.#drawn) this.#out.write('\r\x1b[K');
    this.#drawn = false;
  }
}
