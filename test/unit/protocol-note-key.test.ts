import { createHash } from 'node:crypto';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import type { SignatureAlgorithm } from '../../protocol/engine/engine.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import {
  formatVerifierKey,
  type NoteKey,
  noteKeyId,
  parseVerifierKey,
  signaturesOf,
  signText,
  verifyText,
} from '../../protocol/note-key.ts';
import { toBase64 } from '../../protocol/text.ts';
import { logKeys, logSigners, ORIGIN } from '../fixtures/log.ts';
import { flipped, refuses, sameBytes } from '../fixtures/protocol.ts';

const signers = logSigners(engine, 'one');
const keys = logKeys(signers);
const keyOf = (algorithm: SignatureAlgorithm): NoteKey => ({ name: ORIGIN, algorithm, publicKey: keys[algorithm] });

/** Type bytes as C2SP signed-note assigns them, and the product's own. */
const TYPES: readonly [SignatureAlgorithm, Uint8Array][] = [
  ['ed25519', Uint8Array.of(1)],
  ['ml-dsa-44', Uint8Array.of(6)],
  ['ml-dsa-65', Uint8Array.of(0xff, ...utf8('paramant.app/ml-dsa-65/v1'))],
];

for (const [algorithm, type] of TYPES) {
  t.test(`the id and verifier key of ${algorithm}`, async (t) => {
    const hash = createHash('sha256').update(`${ORIGIN}\n`).update(type).update(keys[algorithm]).digest();
    t.equal(noteKeyId(engine, keyOf(algorithm)), hash.readUInt32BE(0));
    const text = formatVerifierKey(engine, keyOf(algorithm));
    t.equal(
      text,
      `${ORIGIN}+${hash.subarray(0, 4).toString('hex')}+${Buffer.concat([type, keys[algorithm]]).toString('base64')}`,
    );
    const { publicKey, ...key } = parseVerifierKey(engine, text);
    t.same(key, { name: ORIGIN, algorithm });
    sameBytes(t, publicKey, keys[algorithm]);
    refuses(t, 'log-note-invalid', () => parseVerifierKey(engine, `x${text}`), 'another name than the id is of');
    refuses(
      t,
      'log-note-invalid',
      () => parseVerifierKey(engine, text.replace(/\+.{8}\+/, '+00000000+')),
      'another id',
    );
  });
}

t.test('what is no verifier key is refused', async (t) => {
  const [name, id, key] = formatVerifierKey(engine, keyOf('ed25519')).split(/\+(.{8})\+/) as [string, string, string];
  const typed = (type: number, length: number) =>
    `${name}+${id}+${toBase64(new Uint8Array(length + 1).fill(type, 0, 1))}`;
  const refused = [
    '',
    name,
    `${name}+${id}`,
    `${name}+${id}+`,
    `+${id}+${key}`,
    `a b+${id}+${key}`,
    `${name}+${id.toUpperCase()}+${key}`,
    `${name}+${id}+${key}+`,
    typed(1, 31),
    typed(1, 33),
    typed(4, 32),
    typed(6, 32),
    typed(0xff, 1952),
    `${name}+${id}+${'A'.repeat(8192)}`,
  ];
  for (const text of refused) {
    t.throws(() => parseVerifierKey(engine, text), { name: 'Problem' }, text.slice(0, 80));
  }
});

t.test('a line of the text, by its key only', async (t) => {
  const line = signText(engine, ORIGIN, signers.ed25519, 'text\n');
  const note = { text: 'text\n', signatures: [{ ...line, name: 'other' }, line, { ...line, keyId: line.keyId ^ 1 }] };
  t.same(signaturesOf(engine, note, keyOf('ed25519')), [line], 'name and id must both be those of the key');
  t.same(signaturesOf(engine, note, keyOf('ml-dsa-44')), []);
  verifyText(engine, keyOf('ed25519'), 'text\n', line);
  refuses(t, 'signature-invalid', () => verifyText(engine, keyOf('ed25519'), 'text', line));
  const changed = { ...line, signature: flipped(line.signature, 5) };
  refuses(t, 'signature-invalid', () => verifyText(engine, keyOf('ed25519'), 'text\n', changed));
});
