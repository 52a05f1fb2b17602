/** What a check found: failures, each with its exact place, and notices, which fail nothing. */
import { asProblem, type Problem, type ProblemCode } from '../../protocol/problem.ts';
import { printable } from '../lib/printable.ts';

/** Failures that are kept; the rest is counted. */
const MOST = 1000;

/** One failure. */
export interface Finding {
  readonly code: ProblemCode;
  /** Path below the export, or of another file that was given. */
  readonly file: string;
  /** Leaf that it is about, when it is about one. */
  readonly index?: number;
  /** What was expected and what was found. */
  readonly detail: string;
}

export class Findings {
  readonly #failures: Finding[] = [];
  readonly #notices: string[] = [];
  readonly #files = new Set<string>();
  #count = 0;

  /** The first thousand failures, in the order in which they were found. */
  get failures(): readonly Finding[] {
    return this.#failures;
  }

  /** How many failures there are in all. */
  get count(): number {
    return this.#count;
  }

  get notices(): readonly string[] {
    return this.#notices;
  }

  /** Whether a failure of that file is known. */
  isFailed(file: string): boolean {
    return this.#files.has(file);
  }

  /** Adds a failure; texts may be anybody's. */
  add(code: ProblemCode, file: string, detail: string, index?: number): void {
    this.#count += 1;
    this.#files.add(file);
    if (this.#failures.length >= MOST) return;
    const place = { file: printable(file), ...(index === undefined ? {} : { index }) };
    this.#failures.push({ code, ...place, detail: printable(detail) });
  }

  /** Adds a fact that fails nothing. */
  note(fact: string): void {
    if (this.#notices.length < MOST) this.#notices.push(printable(fact));
  }

  /** What `action` gives; undefined when it refused, which is a failure of `file`. */
  attempt<T>(file: string, action: () => T, index?: number): T | undefined {
    try {
      return action();
    } catch (thrown) {
      const { code, detail }: Problem = asProblem(thrown);
      if (code === 'internal') throw thrown;
      this.add(code, file, detail, index);
      return undefined;
    }
  }
}

/** A failure as a line of text. */
export function findingLine({ code, file, index, detail }: Finding): string {
  return `FAIL  ${file}${index === undefined ? '' : `, leaf ${index}`}: ${detail} [${code}]`;
}
