import t from 'tap';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { GrowingTree } from '../../protocol/growing-tree.ts';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  nodeHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/merkle.ts';
import { toHex } from '../../protocol/text.ts';
import { treeOf } from '../fixtures/log.ts';
import { refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const entries = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(utf8);
const leaves = entries.map((entry) => leafHash(engine, entry));
const [a, b, c, d, e, f, g] = leaves as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
];
const { read } = treeOf(engine, entries);
const node = (left: Uint8Array, right: Uint8Array) => nodeHash(engine, left, right);
const hexes = (hashes: readonly Uint8Array[]) => hashes.map(toHex);

t.test('an entry never hashes like a node', async (t) => {
  sameBytes(t, leafHash(engine, utf8('x')), engine.sha256(utf8('\0x')));
  sameBytes(t, node(a, b), engine.sha256(Uint8Array.of(1), a, b));
  t.not(toHex(leafHash(engine, concat(a, b))), toHex(node(a, b)));
});

// The example of RFC 9162 section 2.1.5: seven leaves.
t.test('roots and proofs of the example of RFC 9162', async (t) => {
  const [left, right] = [node(node(a, b), node(c, d)), node(node(e, f), g)];
  sameBytes(t, rootOf(engine, read, 7), node(left, right));
  t.same(hexes(inclusionProof(engine, read, 0, 7)), hexes([b, node(c, d), right]));
  t.same(hexes(inclusionProof(engine, read, 3, 7)), hexes([c, node(a, b), right]));
  t.same(hexes(inclusionProof(engine, read, 4, 7)), hexes([f, g, left]));
  t.same(hexes(inclusionProof(engine, read, 6, 7)), hexes([node(e, f), left]));
  t.same(hexes(consistencyProof(engine, read, 3, 7)), hexes([c, d, node(a, b), right]));
  t.same(hexes(consistencyProof(engine, read, 4, 7)), hexes([right]));
  t.same(hexes(consistencyProof(engine, read, 6, 7)), hexes([node(e, f), g, left]));
});

t.test('a tree without leaves', async (t) => {
  t.equal(toHex(rootOf(engine, read, 0)), EMPTY);
  t.same(consistencyProof(engine, read, 0, 7), []);
  verifyConsistency(engine, [], 0, rootOf(engine, read, 0), 7, rootOf(engine, read, 7));
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [], 0, a, 7, rootOf(engine, read, 7)), 'a root of none');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [a], 0, rootOf(engine, read, 0), 7, a), 'a proof of it');
});

t.test('what cannot be proved is refused', async (t) => {
  const root = rootOf(engine, read, 7);
  refuses(t, 'proof-invalid', () => inclusionProof(engine, read, 7, 7));
  refuses(t, 'proof-invalid', () => consistencyProof(engine, read, 8, 7));
  refuses(t, 'proof-invalid', () => verifyInclusion(engine, [], 0, a, 0, root), 'a leaf of an empty tree');
  refuses(t, 'proof-invalid', () => verifyInclusion(engine, [], 0, a, 7, root), 'too few hashes');
  refuses(t, 'proof-invalid', () => verifyInclusion(engine, [b], 0, a, 1, a), 'too many');
  // Hashes right, size wrong: the root of two leaves for a tree of one, that of four for a tree of three.
  refuses(t, 'proof-invalid', () => verifyInclusion(engine, [a], 0, b, 1, node(a, b)), 'a step above the root');
  const four = rootOf(engine, read, 4);
  refuses(t, 'proof-invalid', () => verifyInclusion(engine, [c, node(a, b)], 2, d, 3, four), 'a leaf beside the last');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [], 8, root, 7, root), 'a tree that shrank');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [], 3, root, 7, root), 'no hash at all');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [], 4, root, 7, root), 'no hash beside the old root');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [a], 7, root, 7, root), 'a hash where none is needed');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [], 7, a, 7, root), 'two roots of one size');
  const proof = consistencyProof(engine, read, 3, 7);
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, [...proof, a], 3, a, 7, root), 'one hash more');
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, proof, 3, a, 7, root), 'another old root');
  const old = rootOf(engine, read, 3);
  refuses(t, 'proof-invalid', () => verifyConsistency(engine, proof, 3, old, 7, a), 'another root');
  verifyConsistency(engine, proof, 3, old, 7, root);
});

t.test('proofs of trees near 2^53 leaves', async (t) => {
  const size = Number.MAX_SAFE_INTEGER;
  // All leaves alike: the hash of a complete subtree depends on its height only.
  const heights = [seed('the leaf')];
  for (let i = 1; i <= 53; i++) heights.push(node(heights[i - 1]!, heights[i - 1]!));
  const same = (level: number) => heights[level]!;
  const root = rootOf(engine, same, size);
  for (const index of [0, 1, 2 ** 52 - 1, 2 ** 52, size - 2, size - 1]) {
    const proof = inclusionProof(engine, same, index, size);
    verifyInclusion(engine, proof, index, heights[0]!, size, root);
    t.ok(proof.length <= 53, `leaf ${index} needs ${proof.length} hashes`);
  }
  for (const old of [1, 2 ** 52, 2 ** 52 + 1, size - 1]) {
    const proof = consistencyProof(engine, same, old, size);
    verifyConsistency(engine, proof, old, rootOf(engine, same, old), size, root);
    t.ok(proof.length <= 54, `from ${old} needs ${proof.length} hashes`);
  }
});

t.test('a growing tree tells what is complete', async (t) => {
  const heard: string[] = [];
  const tree = new GrowingTree(engine);
  t.equal(toHex(tree.root()), EMPTY);
  for (const leaf of leaves.slice(0, 4)) {
    tree.append(leaf, (level, index, hash) => heard.push(`${level}/${index} ${toHex(hash).slice(0, 8)}`));
  }
  const start = (hash: Uint8Array) => toHex(hash).slice(0, 8);
  const [ab, cd] = [node(a, b), node(c, d)];
  t.same(heard, [
    `0/0 ${start(a)}`,
    `0/1 ${start(b)}`,
    `1/0 ${start(ab)}`,
    `0/2 ${start(c)}`,
    `0/3 ${start(d)}`,
    `1/1 ${start(cd)}`,
    `2/0 ${start(node(ab, cd))}`,
  ]);
  for (const leaf of leaves.slice(4)) tree.append(leaf);
  t.equal(tree.size, 7);
  sameBytes(t, tree.root(), rootOf(engine, read, 7));
});

t.test('a tree goes on from what is there as if it had grown from nothing', async (t) => {
  for (let begun = 0; begun <= 7; begun++) {
    const tree = GrowingTree.of(engine, begun, read);
    t.equal(tree.size, begun);
    sameBytes(t, tree.root(), rootOf(engine, read, begun));
    for (const leaf of leaves.slice(begun)) tree.append(leaf);
    sameBytes(t, tree.root(), rootOf(engine, read, 7));
  }
});
