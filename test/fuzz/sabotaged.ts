/** Parsers with one fault each, that the fuzzer must find. */
import { Problem } from '../../protocol/problem.ts';
import { bytesMutator } from './mutate-bytes.ts';
import { Broken, type Target } from './target.ts';

const mutate = bytesMutator();
const seed = Uint8Array.of(0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9);
const kept: Uint8Array[] = [];

function refuse(): never {
  throw new Problem('frame-invalid', 'not this one');
}

function lengthOf(input: Uint8Array): number {
  if (input.length < 4) refuse();
  return new DataView(input.buffer, input.byteOffset).getUint32(0);
}

function target(name: string, run: (input: Uint8Array) => void): Target {
  return { name, seeds: [seed], mutate, run };
}

/** Throws a TypeError behind four bytes that nobody guesses at once: only who keeps each step gets there. */
export const deepCrash: Target = target('deep-crash', (input) => {
  if (input[4] !== 0x47) return;
  if (input[5] !== 0x50) return;
  if (input[6] !== 0x58) return;
  if (input[7] !== 0x31) return;
  (undefined as unknown as { missing(): void }).missing();
});

/** Steps by a length field, and never comes to the end where it is zero. */
export const endlessLoop: Target = target('endless-loop', (input) => {
  for (let at = 4; at < input.length; ) at += input[at]!;
});

/** Allocates what a length field says. */
export const bigBuffer: Target = target('big-buffer', (input) => {
  if (new Uint8Array(lengthOf(input) & 0x0fff_ffff).length === 7) refuse();
});

/** Makes as many objects as a length field says. */
export const bigList: Target = target('big-list', (input) => {
  if (new Array(lengthOf(input) & 0x00ff_ffff).fill(0).length === 7) refuse();
});

/** Keeps a part of each input that it accepts. */
export const leak: Target = target('leak', (input) => {
  kept.push(new Uint8Array(16_384).fill(input.length));
});

/** Accepts a flag that is no flag. */
export const looseFlag: Target = target('loose-flag', (input) => {
  if (lengthOf(input) > 0x00ff_ffff) refuse();
  if (input[3]! > 1) throw new Broken(`flag ${input[3]} came out as 1`);
});

/** Refuses with the code of a fault of the software. */
export const internalFault: Target = target('internal-fault', (input) => {
  if (input.length > 20) throw new Problem('internal', 'should not be');
});

/** Does not accept what it begins with. */
export const deafParser: Target = target('deaf-parser', refuse);
