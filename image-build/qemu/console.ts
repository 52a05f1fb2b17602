/** A guest's serial console: its lines with the moment that each came, and waiting for one of them. */
import type { Readable } from 'node:stream';
import { stripVTControlCharacters } from 'node:util';

/** Lines beyond these are dropped, oldest first: a guest in a loop must not fill the host's memory. */
const MAX_LINES = 20_000;
const MAX_LINE_CHARS = 4096;
const LAST_LINES = 12;

export interface ConsoleLine {
  readonly text: string;
  /** Milliseconds of `performance.now()` when it was complete. */
  readonly atMs: number;
}

interface Waiting {
  readonly pattern: RegExp;
  found(line: ConsoleLine): void;
  failed(why: string): void;
}

export class SerialConsole {
  readonly #lines: ConsoleLine[] = [];
  readonly #waiting = new Set<Waiting>();
  #rest = '';
  #ended = false;

  constructor(stream: Readable) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => this.#take(text));
    stream.once('close', () => this.#end());
  }

  get lines(): readonly ConsoleLine[] {
    return this.#lines;
  }

  /** The last lines, for a message about what went wrong. */
  get tail(): string {
    return this.#lines
      .slice(-LAST_LINES)
      .map(({ text }) => `\n    ${text}`)
      .join('');
  }

  /**
   * The first line that matches, also one that came before. Rejects with the last lines of the console when the guest
   * ends or `limitMs` are over without it.
   */
  line(pattern: RegExp, limitMs: number): Promise<ConsoleLine> {
    const known = this.#lines.find(({ text }) => pattern.test(text));
    if (known) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(limit);
        this.#waiting.delete(waiting);
      };
      const waiting: Waiting = {
        pattern,
        found: (line) => {
          settle();
          resolve(line);
        },
        failed: (why) => {
          settle();
          reject(new Error(`${why} without ${pattern} on its console; the last lines were:${this.tail}`));
        },
      };
      const limit = setTimeout(() => waiting.failed(`the guest ran ${Math.round(limitMs / 1000)} s`), limitMs);
      this.#waiting.add(waiting);
      if (this.#ended) waiting.failed('the guest ended');
    });
  }

  #take(text: string): void {
    const parts = (this.#rest + text).split('\n');
    this.#rest = parts.pop()!.slice(0, MAX_LINE_CHARS);
    for (const part of parts) this.#add(part);
  }

  #add(raw: string): void {
    const text = stripVTControlCharacters(raw)
      .replace(/\p{Cc}/gu, '')
      .slice(0, MAX_LINE_CHARS);
    const line = { text, atMs: performance.now() };
    this.#lines.push(line);
    if (this.#lines.length > MAX_LINES) this.#lines.shift();
    for (const waiting of this.#waiting) if (waiting.pattern.test(line.text)) waiting.found(line);
  }

  #end(): void {
    if (this.#rest !== '') this.#add(this.#rest);
    this.#rest = '';
    this.#ended = true;
    for (const waiting of this.#waiting) waiting.failed('the guest ended');
  }
}
