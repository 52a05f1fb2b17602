/** Answers of transparency logs that others published: roots and proofs, signed notes, a checkpoint of a live log. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { parseHead } from '../../protocol/checkpoint.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { signEpoch } from '../../protocol/epoch.ts';
import { signLogReceipt } from '../../protocol/log-receipt.ts';
import {
  consistencyProof,
  inclusionProof,
  leafHash,
  rootOf,
  verifyConsistency,
  verifyInclusion,
} from '../../protocol/merkle.ts';
import { formatNote, parseNote } from '../../protocol/note.ts';
import { formatVerifierKey, parseVerifierKey, signaturesOf, verifyText } from '../../protocol/note-key.ts';
import { toHex } from '../../protocol/text.ts';
import { checkpointOf, epochEvent, logSigners, ORIGIN, treeOf } from '../fixtures/log.ts';
import { coins, refuses, sameBytes } from '../fixtures/protocol.ts';

interface Published {
  readonly leaves: readonly string[];
  readonly roots: readonly string[];
  readonly inclusion: readonly { readonly index: number; readonly size: number; readonly proof: readonly string[] }[];
  readonly consistency: readonly { readonly old: number; readonly size: number; readonly proof: readonly string[] }[];
}
const published = JSON.parse(readFileSync(new URL('transparency.json', import.meta.url), 'utf8')) as Published;
const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));
const leaves = published.leaves.map(hex);
const rootAt = (size: number) => hex(published.roots[size]!);

for (const engine of [nativeEngine, portableEngine(coins('transparency'))]) {
  t.test(`certificate-transparency's tree, ${engine.name}`, async (t) => {
    const { read } = treeOf(engine, leaves);
    for (const [size, root] of published.roots.entries()) {
      t.equal(toHex(treeOf(engine, leaves.slice(0, size)).root()), root, `${size} leaves`);
      t.equal(toHex(rootOf(engine, read, size)), root, `${size} of 8`);
    }
    for (const { index, size, proof } of published.inclusion) {
      t.same(inclusionProof(engine, read, index, size).map(toHex), proof, `leaf ${index} of ${size}`);
      verifyInclusion(engine, proof.map(hex), index, leafHash(engine, leaves[index]!), size, rootAt(size));
    }
    for (const { old, size, proof } of published.consistency) {
      t.same(consistencyProof(engine, read, old, size).map(toHex), proof, `${old} to ${size}`);
      verifyConsistency(engine, proof.map(hex), old, rootAt(old), size, rootAt(size));
    }
  });

  t.test(`the example of C2SP signed-note, section Verifier keys, ${engine.name}`, async (t) => {
    const text = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
    const bytes = utf8(
      'This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
    );
    const key = parseVerifierKey(engine, text);
    t.equal(key.name, 'example.com/foo');
    t.equal(key.algorithm, 'ed25519');
    t.equal(formatVerifierKey(engine, key), text);
    const note = parseNote(bytes);
    const [line, ...more] = signaturesOf(engine, note, key);
    t.same(more, []);
    verifyText(engine, key, note.text, line!);
    refuses(t, 'signature-invalid', () => verifyText(engine, key, `${note.text}x`, line!));
    sameBytes(t, formatNote(note), bytes);
  });

  t.test(`a checkpoint of sum.golang.org with lines of two other keys, ${engine.name}`, async (t) => {
    const text = 'sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8';
    const bytes = utf8(
      [
        'go.sum database tree',
        '15081221',
        'BoMMe1wd25Tco0mYGROkyqxHZWx+hcSCtMV315Lu6Lg=',
        '',
        '— sum.golang.org Az3grilD7vQqTrv66jRgKM84Y80KTprrSt4bKmiOPxgmS5ZVBTeCl6dUvjYnN13R+C8j0jGY1WnUADGMkok3U0m2Zgo=',
        '— test.example.com qTGhC3917mAr6hGh+T55tNjxaej/D/GQivJZRIj7XGdAcQOTqfMWIPgp/v/904LEduN/h2sSRtHUJXUL4b9Gm7Bz4Qc=',
        '— test.example.com /Pa7Y/dUvWMAAAAAQVwkQVi81ArPV7BIaQYrMIxyzY0m8a4BdeeBhSKd3PviPK4/3Sd+NKSc5N7PDTCfAkUSVniN+R2oKIggA4iiDQ==',
        '',
      ].join('\n'),
    );
    const note = parseNote(bytes);
    const key = parseVerifierKey(engine, text);
    t.equal(formatVerifierKey(engine, key), text);
    const lines = signaturesOf(engine, note, key);
    t.equal(lines.length, 1);
    verifyText(engine, key, note.text, lines[0]!);
    t.equal(note.signatures.length, 3, 'unknown lines are kept');
    sameBytes(t, formatNote(note), bytes);
    const head = parseHead(note.text);
    t.equal(head.origin, 'go.sum database tree');
    t.equal(head.size, 15_081_221);
  });
}

t.test('what the log signs stays as it is, byte for byte', async (t) => {
  const engine = portableEngine(coins('transparency'));
  const signers = logSigners(engine, 'vectors');
  const tree = treeOf(engine, leaves);
  const receipt = signLogReceipt(engine, signers['ml-dsa-44'], {
    originHash: engine.sha256(utf8(ORIGIN)),
    transferId: new Uint8Array(16).fill(1),
    index: 7,
    leafHash: leafHash(engine, leaves[7]!),
    timeMs: 1_700_000_000_000,
    mode: 'required',
    withinSeconds: 60,
  });
  const digest = (bytes: Uint8Array) => toHex(engine.sha256(bytes));
  t.equal(
    digest(checkpointOf(engine, tree, signers)),
    '3067527630f9a3d266a57f8ac7a19ab54ac78b81cc2d3239cbc03d7177d61aee',
    'checkpoint',
  );
  t.equal(
    digest(signEpoch(engine, signers, epochEvent())),
    '98d36b81a55ece9e446de5df5ee562512a3f3a9df8947e1aa66f5483699a2e10',
    'epoch statement',
  );
  t.equal(digest(receipt), '4cc0f37b46e9555ec76a1021cba34e361f596bae1a38488f92cb39ecf3cf40a5', 'log receipt');
});
