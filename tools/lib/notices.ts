/** What a long-running client says on stderr: each thing once, and again only when it changed or a minute passed. */
import type { Problem } from '../../protocol/problem.ts';

const REPEAT_MS = 60_000;

export class Notices {
  readonly #name: string;
  readonly #now: () => number;
  readonly #said = new Map<string, number>();

  constructor(name: string, now: () => number = () => performance.now()) {
    this.#name = name;
    this.#now = now;
  }

  /** A plain sentence. */
  say(sentence: string): void {
    process.stderr.write(`${this.#name}: ${sentence}\n`);
  }

  /** A problem and how to mend it, unless the same was said within the last minute. */
  problem(problem: Problem): void {
    this.report(`${problem.code} ${problem.detail}`, `${problem.detail} [${problem.code}]\n  ${problem.mend}`);
  }

  /** A sentence of a kind that may come often: at most one a minute of each kind. Gives whether it was said. */
  report(kind: string, sentence: string): boolean {
    const last = this.#said.get(kind);
    if (last !== undefined && this.#now() - last < REPEAT_MS) return false;
    if (this.#said.size > 1000) this.#said.clear();
    this.#said.set(kind, this.#now());
    this.say(sentence);
    return true;
  }
}
