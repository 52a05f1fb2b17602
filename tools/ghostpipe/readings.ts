/** The readings of a demo: which went in, which came out, and which are missing. */
import type { Source } from './machine-counters.ts';

export class Readings {
  readonly #sources: readonly Source[];
  readonly #canary: string;
  readonly #sent = new Set<string>();
  readonly #received = new Set<string>();
  #tick = 0;
  lastIn = '';
  lastOut = '';

  /** Every line carries `canary`, so that it can be searched for. */
  constructor(sources: readonly Source[], canary: string) {
    this.#sources = sources;
    this.#canary = canary;
  }

  /** One reading of each source, as lines that differ from all before. */
  take(): readonly string[] {
    this.#tick += 1;
    const lines = this.#sources.map((source) => `${source.name} #${this.#tick} ${source.read()} ${this.#canary}`);
    for (const line of lines) this.#sent.add(line);
    this.lastIn = this.#shown(lines.at((this.#tick - 1) % lines.length)!);
    return lines;
  }

  /** Notes a line that came out; what never went in, or came before, does not count. */
  note(line: string): void {
    if (!this.#sent.has(line)) return;
    this.#received.add(line);
    this.lastOut = this.#shown(line);
  }

  get in(): number {
    return this.#sent.size;
  }

  get out(): number {
    return this.#received.size;
  }

  #shown(line: string): string {
    return line.replace(` ${this.#canary}`, '');
  }
}
