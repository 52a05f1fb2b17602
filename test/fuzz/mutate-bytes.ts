/** Changes to bytes that parsers of binary layouts and of texts stumble over. */
import { concat } from '../../protocol/bytes.ts';
import type { Random } from './random.ts';
import type { Mutator } from './target.ts';

/** No mutated input is longer, unless a target has another limit or it was before. */
const MAX_INPUT_BYTES = 262_144;

/** Values at which lengths, counts and counters change their meaning, as they stand in 1, 2, 4 or 8 bytes. */
const EDGES: readonly bigint[] = [
  0n,
  1n,
  2n,
  15n,
  16n,
  17n,
  127n,
  128n,
  255n,
  256n,
  257n,
  32_767n,
  32_768n,
  65_535n,
  65_536n,
  1_048_576n,
  1_048_577n,
  16_777_216n,
  16_777_217n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const WIDTHS = [1, 2, 4, 8] as const;

type Change = (random: Random, input: Uint8Array, other: Uint8Array) => Uint8Array;

/**
 * A mutator that makes one to four changes; `tokens` are pieces that mean something to the parser, and no input gets
 * longer than `maxBytes`, unless it was before.
 */
export function bytesMutator(tokens: readonly string[] = [], maxBytes: number = MAX_INPUT_BYTES): Mutator {
  const pieces = tokens.map((token) => new Uint8Array(Buffer.from(token)));
  const changes = pieces.length === 0 ? CHANGES : [...CHANGES, ...TOKEN_CHANGES.map((make) => make(pieces))];
  return (random, input, other) => {
    const limit = Math.max(input.length, maxBytes);
    let out: Uint8Array = input.slice();
    for (let left = 1 + random.below(4); left > 0; left--) {
      out = random.pick(changes)(random, out, other);
      if (out.length > limit) out = out.slice(0, limit);
    }
    return out;
  };
}

const CHANGES: readonly Change[] = [
  flipBits,
  flipBits,
  setByte,
  setEdge,
  setEdge,
  nudge,
  (random, input) => input.slice(0, place(random, input)),
  (random, input) => concat(input, random.once(2) ? random.bytes(1 + random.below(64)) : new Uint8Array(size(random))),
  cut,
  putIn,
  copyWithin,
  repeat,
  splice,
];

const TOKEN_CHANGES: readonly ((pieces: readonly Uint8Array[]) => Change)[] = [
  (pieces) => (random, input) => insert(input, place(random, input), random.pick(pieces)),
  (pieces) => (random, input) => insert(input, place(random, input), random.pick(pieces)),
  (pieces) => (random, input) => insert(input, place(random, input), times(random.pick(pieces), size(random))),
];

/** A place in the input, both ends included; the front, where the fields are, is as likely as all the rest. */
function place(random: Random, input: Uint8Array): number {
  return random.below(1 + (random.once(2) ? Math.min(input.length, 512) : input.length));
}

/** A length: mostly small, now and then far beyond anything honest. */
function size(random: Random): number {
  return 1 + random.below(2 ** (1 + Math.min(random.below(16), random.below(16))));
}

function flipBits(random: Random, input: Uint8Array): Uint8Array {
  for (let left = 1 + random.below(3); left > 0 && input.length > 0; left--) {
    const at = Math.min(place(random, input), input.length - 1);
    input[at]! ^= 1 << random.below(8);
  }
  return input;
}

function setByte(random: Random, input: Uint8Array): Uint8Array {
  if (input.length > 0) input[Math.min(place(random, input), input.length - 1)] = random.u32();
  return input;
}

function setEdge(random: Random, input: Uint8Array): Uint8Array {
  const width = random.pick(WIDTHS);
  if (input.length < width) return input;
  const at = Math.min(place(random, input), input.length - width);
  const value = BigInt.asUintN(width * 8, random.pick(EDGES));
  for (let i = 0; i < width; i++) input[at + i] = Number((value >> BigInt(8 * (width - 1 - i))) & 0xffn);
  return input;
}

/** Adds a little to one byte or takes it away: counts and lengths that are wrong by one. */
function nudge(random: Random, input: Uint8Array): Uint8Array {
  if (input.length > 0) input[Math.min(place(random, input), input.length - 1)]! += random.pick([1, 2, -1, -2]);
  return input;
}

function cut(random: Random, input: Uint8Array): Uint8Array {
  const at = place(random, input);
  return concat(input.subarray(0, at), input.subarray(at + size(random)));
}

function putIn(random: Random, input: Uint8Array): Uint8Array {
  return insert(input, place(random, input), random.bytes(1 + random.below(32)));
}

function copyWithin(random: Random, input: Uint8Array): Uint8Array {
  const from = place(random, input);
  const piece = input.subarray(from, from + 1 + random.below(64));
  if (random.once(2)) return insert(input, place(random, input), piece);
  const at = place(random, input);
  return concat(input.subarray(0, at), piece, input.subarray(at + piece.length));
}

function repeat(random: Random, input: Uint8Array): Uint8Array {
  const at = place(random, input);
  const piece = input.subarray(at, at + 1 + random.below(32));
  return insert(input, at, times(piece, size(random)));
}

function splice(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  return concat(input.subarray(0, place(random, input)), other.subarray(place(random, other)));
}

function insert(input: Uint8Array, at: number, piece: Uint8Array): Uint8Array {
  return concat(input.subarray(0, at), piece, input.subarray(at));
}

function times(piece: Uint8Array, count: number): Uint8Array {
  const bounded = Math.min(count, Math.floor(MAX_INPUT_BYTES / Math.max(1, piece.length)));
  const out = new Uint8Array(piece.length * bounded);
  for (let i = 0; i < bounded; i++) out.set(piece, i * piece.length);
  return out;
}
