/**
 * What the lamp of the board says. There is no screen in a cabinet, so each pattern can be told from the others by eye and
 * counted: docs/appliance.md has the table.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProblemCode } from '../protocol/problem.ts';

/** Steps of on and off in ms, the first one on; repeated for ever. */
export type Pattern = readonly number[];

const FLASH = [200, 300] as const;
const PAUSE = 1500;

/** On for good. */
export const READY: Pattern = [1000];
/** Even and slow: it is not ready yet, or not any more. */
export const NOT_READY: Pattern = [1000, 1000];

/** Flashes of the safe state, then a pause; by what a person has to do. */
export const FLASHES: Readonly<Partial<Record<ProblemCode, number>>> = {
  'card-missing': 2,
  'card-invalid': 3,
  'operator-mismatch': 3,
  'signature-invalid': 3,
  'roster-older': 3,
  'board-mismatch': 4,
  'interface-missing': 4,
};
const OTHER_FLASHES = 5;

/** The pattern of the safe state for that reason. */
export function safePattern(code: string): Pattern {
  const count = FLASHES[code as ProblemCode] ?? OTHER_FLASHES;
  return Array.from({ length: count }, (_, i) => (i < count - 1 ? FLASH : [FLASH[0], PAUSE])).flat();
}

/** The lamp of a board; on a machine without one it does nothing. */
export class Lamp {
  readonly #folder: string | null;
  #pattern: Pattern = [];
  #timer: NodeJS.Timeout | undefined;

  /** `folder` is where the kernel lists lamps; that of the board's activity is taken. */
  constructor(folder: string) {
    const names = existsSync(folder) ? readdirSync(folder) : [];
    const name = ['ACT', 'led0', 'act'].find((each) => names.includes(each));
    this.#folder = name === undefined ? null : join(folder, name);
    this.#write('trigger', 'none'); // the kernel lets go of it
  }

  /** Shows the pattern from its start, unless it is shown already. */
  show(pattern: Pattern): void {
    if (this.#folder === null || pattern === this.#pattern) return;
    this.#pattern = pattern;
    clearTimeout(this.#timer);
    this.#step(0);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #step(index: number): void {
    this.#write('brightness', index % 2 === 0 ? '1' : '0');
    if (this.#pattern.length === 1) return;
    const next = (index + 1) % this.#pattern.length;
    this.#timer = setTimeout(() => this.#step(next), this.#pattern[index]).unref();
  }

  #write(name: string, text: string): void {
    if (this.#folder === null) return;
    try {
      writeFileSync(join(this.#folder, name), text);
    } catch {
      // a lamp that cannot be lit keeps nothing from working
    }
  }
}
