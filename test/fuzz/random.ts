/** Chance that repeats: a small fast generator, since a fuzzer draws many numbers for each input. */
import { createHash } from 'node:crypto';

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded with SHA-256 of a text. Not for secrets. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: string) {
    const digest = createHash('sha256').update(seed).digest();
    this.#a = digest.readInt32BE(0);
    this.#b = digest.readInt32BE(4);
    this.#c = digest.readInt32BE(8);
  }

  /** A whole number from 0 to 2^32 - 1. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** A whole number from 0 to `limit` - 1; limits are far below 2^32, so its bias does not matter here. */
  below(limit: number): number {
    return this.u32() % limit;
  }

  /** True once in `times`. */
  once(times: number): boolean {
    return this.below(times) === 0;
  }

  /** One of `choices`, which must not be empty. */
  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** `length` random bytes. */
  bytes(length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let at = 0; at < length; at++) out[at] = this.u32();
    return out;
  }
}
