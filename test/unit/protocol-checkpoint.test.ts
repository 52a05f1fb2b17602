import { createHash } from 'node:crypto';
import { ml_dsa44, ml_dsa65 } from '@noble/post-quantum/ml-dsa.js';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { formatHead, parseHead, signCheckpoint, verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { cosign, verifyCosignature } from '../../protocol/cosignature.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { formatNote, type Note, parseNote } from '../../protocol/note.ts';
import { signText } from '../../protocol/note-key.ts';
import { toBase64 } from '../../protocol/text.ts';
import { checkpointOf, headOf, logKeys, logSigners, ORIGIN, SECONDS, treeOf } from '../fixtures/log.ts';
import { coins, flipped, refuses, seed } from '../fixtures/protocol.ts';

const signers = logSigners(engine, 'one');
const keys = logKeys(signers);
const stranger = logSigners(engine, 'stranger');
const tree = treeOf(engine, ['a', 'b', 'c'].map(utf8));
const head = headOf(tree);
const checkpoint = checkpointOf(engine, tree, signers);
const note = parseNote(checkpoint);
const verify = (bytes: Uint8Array, origin = ORIGIN, own = keys) => verifyCheckpoint(engine, bytes, origin, own);
const withLines = (signatures: Note['signatures']) => formatNote({ text: note.text, signatures });

/** The structure of C2SP tlog-cosignature, section ML-DSA-44 signed message, written by hand. */
function signedMessage(name: string, seconds: bigint, origin: string, size: bigint, root: Uint8Array): Buffer {
  const number = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return bytes;
  };
  const string = (value: string) => Buffer.concat([Buffer.of(Buffer.byteLength(value)), Buffer.from(value)]);
  const label = Buffer.from('737562747265652f76310a00', 'hex');
  return Buffer.concat([label, string(name), number(seconds), string(origin), number(0n), number(size), root]);
}

t.test('three lines that another program can check by the text of the standards', async (t) => {
  const lines = Buffer.from(checkpoint).toString().split('\n');
  t.same(lines.slice(0, 4), [ORIGIN, '3', toBase64(head.root), '']);
  t.equal(lines.length, 8);
  const decoded = lines.slice(4, 7).map((line) => {
    const [dash, name, base64] = line.split(' ');
    t.same([dash, name], ['—', ORIGIN], 'the name is the origin');
    return Buffer.from(base64!, 'base64');
  });
  const idOf = (type: string, key: Uint8Array) =>
    createHash('sha256')
      .update(`${ORIGIN}\n`)
      .update(Buffer.from(type, 'latin1'))
      .update(key)
      .digest('hex')
      .slice(0, 8);
  const [lattice65, lattice44, curve] = decoded as [Buffer, Buffer, Buffer];
  t.equal(lattice65.toString('hex', 0, 4), idOf('\xffparamant.app/ml-dsa-65/v1', keys['ml-dsa-65']));
  t.equal(lattice44.toString('hex', 0, 4), idOf('\x06', keys['ml-dsa-44']));
  t.equal(curve.toString('hex', 0, 4), idOf('\x01', keys.ed25519));
  t.same([lattice65.length, lattice44.length, curve.length], [4 + 8 + 3309, 4 + 8 + 2420, 4 + 64]);
  const message = signedMessage(ORIGIN, BigInt(SECONDS), ORIGIN, 3n, head.root);
  for (const line of [lattice65, lattice44]) t.equal(line.readBigUInt64BE(4), BigInt(SECONDS));
  t.ok(ml_dsa65.verify(lattice65.subarray(12), message, keys['ml-dsa-65']));
  t.ok(ml_dsa44.verify(lattice44.subarray(12), message, keys['ml-dsa-44']));
  const text = utf8(`${ORIGIN}\n3\n${toBase64(head.root)}\n`);
  t.ok(portableEngine(coins('x')).verifySingle('ed25519', keys.ed25519, '', text, curve.subarray(4)));
});

t.test('a checkpoint holds', async (t) => {
  const { held, seconds, head: verified, note: kept } = verify(checkpoint);
  t.same(held, ['ml-dsa-65', 'ml-dsa-44', 'ed25519']);
  t.equal(seconds, SECONDS);
  t.same(verified, { ...head, root: Buffer.from(head.root) });
  t.equal(kept.signatures.length, 3);
  const other = portableEngine(coins('portable'));
  const again = signCheckpoint(other, head, SECONDS, logSigners(other, 'one'));
  t.same(verifyCheckpoint(engine, again, ORIGIN, keys).held, held, 'made by the portable engine');
  t.same(verifyCheckpoint(other, checkpoint, ORIGIN, keys).held, held, 'checked by it');
});

t.test('both post-quantum lines must be there; Ed25519 need not and does not suffice', async (t) => {
  const [first, second, third] = note.signatures as [
    Note['signatures'][0],
    Note['signatures'][0],
    Note['signatures'][0],
  ];
  t.same(verify(withLines([second, first])).held, ['ml-dsa-65', 'ml-dsa-44']);
  for (const lines of [[first], [second], [third], [first, third], [second, third]]) {
    refuses(t, 'log-checkpoint-invalid', () => verify(withLines(lines)), `${lines.length} lines`);
  }
  const foreign = parseNote(checkpointOf(engine, tree, stranger)).signatures;
  refuses(t, 'log-checkpoint-invalid', () => verify(withLines(foreign)), 'the lines of a stranger');
  t.equal(verify(withLines([...foreign, ...note.signatures])).note.signatures.length, 6, 'unknown lines are kept');
});

t.test('a line by a key of the log must verify', async (t) => {
  for (const [i, line] of note.signatures.entries()) {
    for (const at of [0, 8, 20, line.signature.length - 1]) {
      const changed = { ...line, signature: flipped(line.signature, at, 1) };
      refuses(
        t,
        'signature-invalid',
        () => verify(withLines(note.signatures.with(i, changed))),
        `line ${i}, byte ${at}`,
      );
      refuses(t, 'signature-invalid', () => verify(withLines([...note.signatures, changed])), 'also beside a good one');
    }
    const short = { ...line, signature: line.signature.subarray(0, 7) };
    refuses(t, 'signature-invalid', () => verify(withLines(note.signatures.with(i, short))), 'cut');
  }
  const moved = (changes: Partial<typeof head>) =>
    formatNote({ text: formatHead({ ...head, ...changes }), signatures: note.signatures });
  refuses(t, 'signature-invalid', () => verify(moved({ size: 4 })), 'another size');
  refuses(t, 'signature-invalid', () => verify(moved({ root: seed('other') })), 'another root');
  refuses(t, 'log-checkpoint-invalid', () => verify(moved({ origin: 'other' })), 'another origin');
  refuses(t, 'log-checkpoint-invalid', () => verify(checkpoint, 'other'), 'of another log');
  refuses(t, 'log-checkpoint-invalid', () => verify(checkpoint, ORIGIN, logKeys(stranger)), 'by other keys');
});

t.test('the lines agree on a time', async (t) => {
  const lineAt = (algorithm: 'ml-dsa-44' | 'ml-dsa-65', seconds: number) =>
    cosign(engine, ORIGIN, signers[algorithm], head, seconds);
  const [first] = note.signatures as [Note['signatures'][0]];
  refuses(t, 'log-checkpoint-invalid', () => verify(withLines([first, lineAt('ml-dsa-44', SECONDS + 1)])), 'two times');
  const late = [...note.signatures, lineAt('ml-dsa-44', SECONDS + 1)];
  refuses(t, 'log-checkpoint-invalid', () => verify(withLines(late)), 'two times of one key');
  const none = [lineAt('ml-dsa-65', 0), lineAt('ml-dsa-44', 0)];
  refuses(t, 'log-checkpoint-invalid', () => verify(withLines(none)), 'no time');
});

t.test('the text of a head', async (t) => {
  t.same(parseHead(formatHead(head)), { ...head, root: Buffer.from(head.root) });
  const root = toBase64(head.root);
  const bad: [string, 'log-checkpoint-invalid' | 'encoding-invalid'][] = [
    ['', 'log-checkpoint-invalid'],
    [`o\n1\n${root}`, 'log-checkpoint-invalid'],
    [`o\n1\n${root}\nextension\n`, 'log-checkpoint-invalid'],
    [`o\n1\n${root}\n\n`, 'log-checkpoint-invalid'],
    [`\n1\n${root}\n`, 'log-checkpoint-invalid'],
    [`${'o'.repeat(256)}\n1\n${root}\n`, 'log-checkpoint-invalid'],
    [`o\n1\n${toBase64(head.root.subarray(1))}\n`, 'log-checkpoint-invalid'],
    [`o\n01\n${root}\n`, 'encoding-invalid'],
    [`o\n-1\n${root}\n`, 'encoding-invalid'],
    [`o\n1\n${root.replace('=', '')}\n`, 'encoding-invalid'],
    [`o\n1\n${root} \n`, 'encoding-invalid'],
  ];
  for (const [text, code] of bad) refuses(t, code, () => parseHead(text), JSON.stringify(text));
  refuses(t, 'log-checkpoint-invalid', () => formatHead({ ...head, origin: '' }));
  t.equal(parseHead(`go.sum database tree\n0\n${root}\n`).origin, 'go.sum database tree', 'any origin of others');
});

t.test('a cosignature by somebody else', async (t) => {
  const signer = engine.singleKey('ml-dsa-44', seed('audit server'));
  const key = { name: 'audit.example/mirror', algorithm: signer.algorithm, publicKey: signer.publicKey };
  const line = cosign(engine, key.name, signer, head, SECONDS);
  t.equal(verifyCosignature(engine, key, head, line), SECONDS);
  t.equal(verifyCosignature(engine, key, head, cosign(engine, key.name, signer, head, 0)), 0, 'without a time');
  const message = signedMessage(key.name, BigInt(SECONDS), ORIGIN, 3n, head.root);
  t.ok(ml_dsa44.verify(line.signature.subarray(8), message, signer.publicKey));
  const refused = (what: string, of = key, about = head, value = line) =>
    refuses(t, 'signature-invalid', () => verifyCosignature(engine, of, about, value), what);
  refused('another name', { ...key, name: 'audit.example/other' });
  refused('another key', { ...key, publicKey: stranger['ml-dsa-44'].publicKey });
  refused('another origin', key, { ...head, origin: 'other' });
  refused('another size', key, { ...head, size: 4 });
  refused('a time above 2^53', key, head, { ...line, signature: new Uint8Array(2428).fill(255) });
  refused('no signature', key, head, { ...line, signature: new Uint8Array(8) });
  const classic = { name: key.name, algorithm: 'ed25519' as const, publicKey: keys.ed25519 };
  const byEd25519 = cosign(engine, key.name, signers.ed25519, head, SECONDS);
  refuses(t, 'signature-invalid', () => verifyCosignature(engine, classic, head, byEd25519), 'Ed25519 is none');
  const text = signText(engine, key.name, signers.ed25519, note.text);
  refuses(t, 'signature-invalid', () => verifyCosignature(engine, classic, head, text));
});
