/** Roots and proofs of trees of every size up to 600, and of some of up to 2^20, against the definitions of RFC 6962. */
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/merkle.ts';
import { tileReader } from '../../protocol/tile.ts';
import { KeptTree } from '../fixtures/log.ts';
import { NaiveTree } from '../fixtures/naive-tree.ts';
import { below, codeOf, coins, flipped } from '../fixtures/protocol.ts';

const MAX_SIZE = 600;
const LARGE = 2 ** 20;
const random = coins('merkle');

const entryOf = (index: number) => {
  const entry = new Uint8Array(4);
  new DataView(entry.buffer).setUint32(0, index);
  return entry;
};

function same(proof: readonly Uint8Array[], expected: readonly Uint8Array[]): boolean {
  return proof.length === expected.length && proof.every((hash, i) => Buffer.compare(hash, expected[i]!) === 0);
}

const entries = Array.from({ length: MAX_SIZE }, (_, i) => entryOf(i));
const naive = new NaiveTree(entries);
const kept = new KeptTree(engine);

t.test(`every size from 0 to ${MAX_SIZE}: root, each inclusion proof, each consistency proof`, async (t) => {
  const wrong: string[] = [];
  let proofs = 0;
  for (let size = 0; size <= MAX_SIZE; size++) {
    if (size > 0) kept.append(leafHash(engine, entries[size - 1]!));
    const root = naive.root(size);
    if (!same([kept.root(), rootOf(engine, kept.read, size)], [root, root])) wrong.push(`root of ${size}`);
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(engine, kept.read, index, size);
      if (!same(proof, naive.path(index, size))) wrong.push(`PATH(${index}, ${size})`);
      const verdict = codeOf(() => verifyInclusion(engine, proof, index, naive.leaf(index), size, root));
      if (verdict !== 'accepted') wrong.push(`leaf ${index} of ${size}: ${verdict}`);
      proofs += 2;
    }
    for (let old = 0; old <= size; old++) {
      const proof = consistencyProof(engine, kept.read, old, size);
      if (!same(proof, old === 0 ? [] : naive.proof(old, size))) wrong.push(`PROOF(${old}, ${size})`);
      const verdict = codeOf(() => verifyConsistency(engine, proof, old, naive.root(old), size, root));
      if (verdict !== 'accepted') wrong.push(`${old} to ${size}: ${verdict}`);
    }
  }
  t.same(wrong, []);
  t.equal(proofs, MAX_SIZE * (MAX_SIZE + 1), 'none was left out');
});

/** Every way to change a list of hashes by one step, never giving the same list. */
function mutants(proof: readonly Uint8Array[]): Uint8Array[][] {
  const out: Uint8Array[][] = [
    [...proof, random(32)],
    [random(32), ...proof],
  ];
  for (const [i, hash] of proof.entries()) {
    out.push(proof.with(i, flipped(hash, below(random, 32), 1 << below(random, 8))));
    out.push(proof.toSpliced(i, 1), proof.toSpliced(i, 0, hash));
    if (i > 0) out.push(proof.with(i, proof[i - 1]!).with(i - 1, hash));
  }
  return out;
}

/** Sizes that meet every shape of tree: all up to 70, then some. */
const SHAPES = [...Array.from({ length: 70 }, (_, i) => i + 1), 127, 128, 129, 255, 256, 257, 511, 512, 513, 600];

/** Counts what is tried, and gathers what is not refused as a proof that does not hold. */
function refusals(t: Test) {
  const others: string[] = [];
  let tried = 0;
  return {
    check(what: string, action: () => void) {
      tried++;
      const code = codeOf(action);
      if (code !== 'proof-invalid') others.push(`${what}: ${code}`);
    },
    end(least: number) {
      t.same(others, []);
      t.ok(tried > least, `${tried} were tried`);
    },
  };
}

t.test('every changed inclusion proof is refused', async (t) => {
  const { check, end } = refusals(t);
  for (const size of SHAPES) {
    for (const index of new Set([0, size - 1, below(random, size), below(random, size)])) {
      const proof = inclusionProof(engine, kept.read, index, size);
      const [leaf, root] = [naive.leaf(index), naive.root(size)];
      const verify = (hashes: Uint8Array[], at = index, hash: Uint8Array = leaf, top: Uint8Array = root) =>
        verifyInclusion(engine, hashes, at, hash, size, top);
      for (const mutant of mutants(proof)) check(`${index} of ${size}`, () => verify(mutant));
      for (let other = 0; other <= size; other++) {
        if (other !== index) check(`${index} as ${other} of ${size}`, () => verify(proof, other));
      }
      check('another leaf', () => verify(proof, index, flipped(leaf, 31, 1)));
      check('another root', () => verify(proof, index, leaf, flipped(root, 0, 1)));
    }
  }
  end(10_000);
});

t.test('every changed consistency proof is refused', async (t) => {
  const { check, end } = refusals(t);
  for (const size of SHAPES) {
    for (const old of new Set([
      0,
      1,
      size,
      below(random, size),
      below(random, size),
      2 ** Math.floor(Math.log2(size)),
    ])) {
      const proof = consistencyProof(engine, kept.read, old, size);
      const [before, root] = [naive.root(old), naive.root(size)];
      const verify = (hashes: Uint8Array[], from: Uint8Array = before, to: Uint8Array = root) =>
        verifyConsistency(engine, hashes, old, from, size, to);
      for (const mutant of mutants(proof)) check(`${old} to ${size}`, () => verify(mutant));
      check(`another old root of ${old}`, () => verify(proof, flipped(before, 3, 1)));
      // From nothing, any tree follows: only the signature says which.
      if (old > 0) check(`another root of ${size}`, () => verify(proof, before, flipped(root, 3, 1)));
      check('shrunk', () => verifyConsistency(engine, proof, size + 1, before, size, root));
    }
  }
  end(5000);
});

t.test(`random sizes up to ${LARGE}, from tiles`, async (t) => {
  const memory = new Uint8Array(new Uint32Array(LARGE).map((_, i) => i).buffer);
  const many = Array.from({ length: LARGE }, (_, i) => memory.subarray(4 * i, 4 * i + 4));
  const judge = new NaiveTree(many);
  const tree = new KeptTree(engine);
  for (const entry of many) tree.append(leafHash(engine, entry));
  t.ok(same([tree.root()], [judge.root(LARGE)]), 'all leaves');
  for (let round = 0; round < 16; round++) {
    const size = 2 + below(random, LARGE - 2);
    const read = tileReader(engine, size, tree.readTile);
    const root = judge.root(size);
    t.ok(same([rootOf(engine, read, size)], [root]), `root of ${size}`);
    const [index, old] = [below(random, size), 1 + below(random, size - 1)];
    const path = inclusionProof(engine, read, index, size);
    t.ok(same(path, judge.path(index, size)), `leaf ${index}`);
    verifyInclusion(engine, path, index, judge.leaf(index), size, root);
    const proof = consistencyProof(engine, read, old, size);
    t.ok(same(proof, judge.proof(old, size)), `from ${old}`);
    verifyConsistency(engine, proof, old, judge.root(old), size, root);
  }
});
