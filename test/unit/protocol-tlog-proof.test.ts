import t from 'tap';
import { formatAddCheckpoint, parseAddCheckpoint, verifyAddCheckpoint } from '../../protocol/add-checkpoint.ts';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { consistencyProof, inclusionProof, leafHash } from '../../protocol/merkle.ts';
import { toBase64 } from '../../protocol/text.ts';
import { formatTlogProof, parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts';
import { checkpointOf, headOf, logKeys, logSigners, ORIGIN, treeOf } from '../fixtures/log.ts';
import { refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const signers = logSigners(engine, 'one');
const keys = logKeys(signers);
const entries = Array.from({ length: 11 }, (_, i) => utf8(`entry ${i}`));
const tree = treeOf(engine, entries);
const checkpoint = checkpointOf(engine, tree, signers);
const hashes = inclusionProof(engine, tree.read, 6, 11);
const leaf = leafHash(engine, entries[6]!);
const H = toBase64(seed('hash'));

t.test('a proof reads as C2SP tlog-proof, section Format', async (t) => {
  const bytes = formatTlogProof({ index: 6, hashes, checkpoint });
  t.equal(
    Buffer.from(bytes).toString(),
    `c2sp.org/tlog-proof@v1\nindex 6\n${hashes.map((hash) => `${toBase64(hash)}\n`).join('')}\n${Buffer.from(checkpoint)}`,
  );
  const proof = parseTlogProof(bytes);
  t.notOk('extra' in proof);
  sameBytes(t, formatTlogProof(proof), bytes);
  t.equal(verifyTlogProof(engine, proof, leaf, ORIGIN, keys).head.size, 11);
  const withExtra = formatTlogProof({ extra: entries[6]!, index: 6, hashes, checkpoint });
  t.match(Buffer.from(withExtra).toString(), /^c2sp\.org\/tlog-proof@v1\nextra ZW50cnkgNg==\nindex 6\n/);
  const parsed = parseTlogProof(withExtra);
  sameBytes(t, parsed.extra!, entries[6]!);
  sameBytes(t, formatTlogProof(parsed), withExtra);
  const empty = formatTlogProof({ extra: new Uint8Array(0), index: 0, hashes: [], checkpoint });
  sameBytes(t, formatTlogProof(parseTlogProof(empty)), empty, 'no extra data is not the same as empty extra data');
});

t.test('a proof of something else is refused', async (t) => {
  const proof = { index: 6, hashes, checkpoint };
  const verify = (changes: Partial<typeof proof>, hash = leaf, origin = ORIGIN) =>
    verifyTlogProof(engine, { ...proof, ...changes }, hash, origin, keys);
  verify({});
  refuses(t, 'proof-invalid', () => verify({}, leafHash(engine, entries[5]!)), 'another leaf');
  refuses(t, 'proof-invalid', () => verify({ index: 5 }), 'another index');
  refuses(t, 'proof-invalid', () => verify({ index: 11 }), 'an index outside');
  refuses(t, 'proof-invalid', () => verify({ hashes: hashes.slice(1) }), 'a hash missing');
  refuses(t, 'log-checkpoint-invalid', () => verify({}, leaf, 'other'), 'another log');
  const other = checkpointOf(engine, treeOf(engine, entries.slice(0, 10)), signers);
  refuses(t, 'proof-invalid', () => verify({ checkpoint: other }), 'under another head');
});

t.test('what is no proof is refused', async (t) => {
  const after = `\n${Buffer.from(checkpoint)}`;
  const refused: [string, 'proof-invalid' | 'encoding-invalid'][] = [
    ['', 'proof-invalid'],
    [after, 'proof-invalid'],
    [`\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v2\nindex 0\n${after}`, 'proof-invalid'],
    [`\ufeffc2sp.org/tlog-proof@v1\nindex 0\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\r\nindex 0\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nextra ${H}\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nextra ${H}\nextra ${H}\nindex 0\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 0\nindex 0\n${after}`, 'encoding-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 00\n${after}`, 'encoding-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 0 \n${after}`, 'encoding-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 9007199254740992\n${after}`, 'encoding-invalid'],
    [`c2sp.org/tlog-proof@v1\nINDEX 0\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 0\n${H} \n${after}`, 'encoding-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 0\n${toBase64(new Uint8Array(31))}\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 0\n${`${H}\n`.repeat(64)}${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nextra ${toBase64(new Uint8Array(16_385))}\nindex 0\n${after}`, 'proof-invalid'],
    [`c2sp.org/tlog-proof@v1\nindex 0\n${H.repeat(1000)}\n${after}`, 'proof-invalid'],
    ['c2sp.org/tlog-proof@v1\nindex 0', 'proof-invalid'],
    ['A'.repeat(200_000), 'proof-invalid'],
  ];
  for (const [text, code] of refused)
    refuses(t, code, () => parseTlogProof(utf8(text)), JSON.stringify(text.slice(0, 90)));
  const longest = `c2sp.org/tlog-proof@v1\nextra ${toBase64(new Uint8Array(16_384))}\nindex 0\n${`${H}\n`.repeat(63)}${after}`;
  sameBytes(t, formatTlogProof(parseTlogProof(utf8(longest))), utf8(longest), 'the longest');
});

t.test('growth reads as C2SP tlog-witness, section add-checkpoint', async (t) => {
  const old = headOf(treeOf(engine, entries.slice(0, 5)));
  const proof = consistencyProof(engine, tree.read, 5, 11);
  const bytes = formatAddCheckpoint({ oldSize: 5, hashes: proof, checkpoint });
  t.equal(
    Buffer.from(bytes).toString(),
    `old 5\n${proof.map((hash) => `${toBase64(hash)}\n`).join('')}\n${Buffer.from(checkpoint)}`,
  );
  const body = parseAddCheckpoint(bytes);
  sameBytes(t, formatAddCheckpoint(body), bytes);
  const verify = (changes: Partial<typeof body>, root = old.root, origin = ORIGIN) =>
    verifyAddCheckpoint(engine, { ...body, ...changes }, root, origin, keys);
  t.equal(verify({}).head.size, 11);
  refuses(t, 'proof-invalid', () => verify({}, seed('root')), 'another old root');
  refuses(t, 'proof-invalid', () => verify({ oldSize: 6 }), 'another old size');
  refuses(t, 'proof-invalid', () => verify({ oldSize: 12 }), 'a log that shrank');
  refuses(t, 'proof-invalid', () => verify({ hashes: [] }), 'no proof');
  refuses(t, 'log-checkpoint-invalid', () => verify({}, old.root, 'other'), 'another log');
  for (const text of ['old\n\nx', 'new 5\n\nx', '\n\nx', 'old 5\n']) {
    refuses(t, 'proof-invalid', () => parseAddCheckpoint(utf8(text)), JSON.stringify(text));
  }
  refuses(t, 'encoding-invalid', () => parseAddCheckpoint(utf8('old 05\n\nx')));
  const first = formatAddCheckpoint({ oldSize: 0, hashes: [], checkpoint });
  sameBytes(t, first, concat(utf8('old 0\n\n'), checkpoint));
  t.equal(verifyAddCheckpoint(engine, parseAddCheckpoint(first), engine.sha256(), ORIGIN, keys).head.size, 11);
});
