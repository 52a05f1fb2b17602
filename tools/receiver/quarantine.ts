/**
 * Evidence of what a receiver refused, for an operator to look into: who, when, why, and the hash of the block; on
 * request also the sealed block itself. Bounded: the newest entries push out the oldest.
 *
 *     FOLDER/<number>-<transfer>.json     the evidence
 *     FOLDER/<number>-<transfer>.block    the block as it came
 *     FOLDER/<number>-<name>.file         a file whose SHA-256 is not the one that its sender announced
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { asProblem, Problem } from '../../protocol/problem.ts';
import type { RejectCode } from '../../protocol/reject.ts';
import { writeFileAtomic } from '../lib/files.ts';
import type { Notices } from '../lib/notices.ts';

const ENTRIES = 16;
const NUMBER_DIGITS = 8;

/** What is known of a refused block. */
export interface Evidence {
  /** Hexadecimal. */
  readonly transferId: string;
  readonly code: RejectCode;
  /** The exact cause. */
  readonly detail: string;
  /** DID that the block claims to come from; null when it could not be opened so far. */
  readonly sender: string | null;
  /** SHA-256 of the block, hexadecimal. */
  readonly blockSha256: string;
}

export interface QuarantineOptions {
  readonly folder: string;
  /** True to keep blocks and files too, not only what is known of them. */
  readonly keepsData: boolean;
  readonly notices: Notices;
  /** Wall time in ms, to be shown. */
  readonly wallMs: () => number;
}

export class Quarantine {
  readonly #options: QuarantineOptions;

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /** Keeps the evidence of a refused block. A quarantine that cannot be written says so and stops nothing. */
  put(evidence: Evidence, block: Uint8Array): void {
    const { folder, keepsData, wallMs } = this.#options;
    const text = JSON.stringify({ v: 1, time: new Date(wallMs()).toISOString(), ...evidence });
    this.#guarded(() => {
      const entry = join(folder, `${this.#nextNumber()}-${evidence.transferId}`);
      if (keepsData) writeFileAtomic(`${entry}.block`, block);
      writeFileAtomic(`${entry}.json`, `${text}\n`);
      this.#dropOldest();
    });
  }

  /** Takes the file at `path` away, to be looked at under `name`; false when it is not to be kept or cannot be moved. */
  putFile(path: string, name: string): boolean {
    const { folder, keepsData } = this.#options;
    if (!keepsData) return false;
    return this.#guarded(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      renameSync(path, join(folder, `${this.#nextNumber()}-${name}.file`));
      this.#dropOldest();
    });
  }

  #guarded(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (thrown) {
      const why = (thrown as NodeJS.ErrnoException).code ?? asProblem(thrown).detail;
      const { folder, notices } = this.#options;
      notices.problem(new Problem('sink-failed', `the quarantine ${folder} cannot take what was refused (${why})`));
      return false;
    }
  }

  #nextNumber(): string {
    const newest = Number(this.#numbers().at(-1) ?? 0);
    return String(newest + 1).padStart(NUMBER_DIGITS, '0');
  }

  #dropOldest(): void {
    const { folder } = this.#options;
    const kept = this.#numbers().slice(-ENTRIES);
    for (const name of entriesOf(folder)) if (!kept.includes(numberOf(name))) rmSync(join(folder, name));
  }

  /** Numbers of all entries, ascending. */
  #numbers(): string[] {
    return [...new Set(entriesOf(this.#options.folder).map(numberOf))].sort();
  }
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => /^\d{8}-.*\.(json|block|file)$/.test(name));
  } catch {
    return [];
  }
}

function numberOf(name: string): string {
  return name.slice(0, NUMBER_DIGITS);
}
