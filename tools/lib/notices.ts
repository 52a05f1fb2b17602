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
    const key = `${problem.code} ${problem.detail}`;
    const last = this.#said.get(key);
    if (last !== undefined && this.#now() - last < REPEAT_MS) return;
    if (this.#said.size > 1000) this.#said.clear();
    this.#said.set(key, this.#now());
    this.say(`${problem.detail} [${problem.code}]\n  ${problem.mend}`);
  }
}
