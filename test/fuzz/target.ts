/** What is fuzzed, and what may become of an input. */
import type { Random } from './random.ts';

/** Changes one input into another; `other` is a second input to take parts from. */
export type Mutator = (random: Random, input: Uint8Array, other: Uint8Array) => Uint8Array;

/** One parser that meets bytes from outside. */
export interface Target {
  readonly name: string;
  /** Inputs to begin with; each of them must be accepted. */
  readonly seeds: readonly Uint8Array[];
  readonly mutate: Mutator;
  /**
   * Hands `input` to the parser and leaves it as it was. Returns when it is accepted, throws a `Problem` when it is
   * refused and `Broken` when what was accepted is not what it should be; depends on nothing but `input`.
   */
  run(input: Uint8Array): void;
}

/** An input was accepted that must not be, or its meaning is not kept. */
export class Broken extends Error {
  override readonly name = 'Broken';
}

/** Throws `Broken` unless both hold the same bytes. */
export function requireSame(actual: Uint8Array, expected: Uint8Array, what: string): void {
  if (Buffer.compare(actual, expected) === 0) return;
  throw new Broken(`${what}: ${actual.length} bytes came out, ${expected.length} went in, and they differ`);
}

/** `bytes` at the front of `length` bytes of zero; cut when it is longer. */
export function padded(bytes: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length);
  out.set(bytes.subarray(0, length));
  return out;
}
