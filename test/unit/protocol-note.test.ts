import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import {
  formatNote,
  formatSignatures,
  isKeyName,
  MAX_NOTE_BYTES,
  type NoteSignature,
  parseNote,
  parseSignatures,
} from '../../protocol/note.ts';
import { toBase64 } from '../../protocol/text.ts';
import { coins, refuses, sameBytes } from '../fixtures/protocol.ts';

const lineOf = (name: string, keyId: number, length = 64): NoteSignature => ({
  name,
  keyId,
  signature: coins(`${name} ${keyId}`)(length),
});
const GOOD = `— a.example ${toBase64(new Uint8Array(9))}\n`;

t.test('a note comes back as it was', async (t) => {
  const note = { text: 'one\n\ntwo è — x\n', signatures: [lineOf('a.example/é', 1), lineOf('b', 0xffffffff, 1)] };
  const bytes = formatNote(note);
  const parsed = parseNote(bytes);
  t.equal(parsed.text, note.text, 'the last empty line parts text and signatures');
  t.same(
    parsed.signatures.map(({ name, keyId }) => [name, keyId]),
    [
      ['a.example/é', 1],
      ['b', 0xffffffff],
    ],
  );
  for (const [i, { signature }] of parsed.signatures.entries()) sameBytes(t, signature, note.signatures[i]!.signature);
  sameBytes(t, formatNote(parsed), bytes);
  const lines = utf8(formatSignatures(note.signatures));
  t.equal(formatSignatures(parseSignatures(lines)), Buffer.from(lines).toString());
});

t.test('sixteen signatures of 5 kB are read, as C2SP demands', async (t) => {
  const signatures = Array.from({ length: 16 }, (_, i) => lineOf('a.example', i, 5000));
  t.equal(parseNote(formatNote({ text: 'x\n', signatures })).signatures.length, 16);
  const many = Array.from({ length: 32 }, (_, i) => lineOf('a', i, 1));
  t.equal(parseNote(formatNote({ text: 'x\n', signatures: many })).signatures.length, 32);
  refuses(t, 'log-note-invalid', () => formatNote({ text: 'x\n', signatures: [...many, lineOf('a', 32)] }), '33');
});

t.test('what is no note is refused', async (t) => {
  const refused = [
    '',
    '\n',
    'text\n',
    GOOD,
    'text\n\n',
    `text\n${GOOD}`,
    `text\n\n${GOOD.trimEnd()}`,
    `text\n\n${GOOD}\n`,
    `text\n\n${GOOD}x`,
    `text\n\n${GOOD.replace('— ', '- ')}`,
    `text\n\n${GOOD.replace('— ', '—')}`,
    `text\n\n${GOOD.replace('— ', '—  ')}`,
    `text\n\n${GOOD.replace('a.example', '')}`,
    `text\n\n${GOOD.replace('a.example', 'a+b')}`,
    `text\n\n${GOOD.replace('a.example', 'a\u2003b')}`,
    `text\n\n${GOOD.replace('a.example', 'a\u0085b')}`,
    `text\n\n${GOOD.replace('\n', ' \n')}`,
    `text\n\n${GOOD.replace('\n', '\r\n')}`,
    `te\txt\n\n${GOOD}`,
    `te\0xt\n\n${GOOD}`,
    `text\n\n— a.example ${toBase64(new Uint8Array(4))}\n`,
    `text\n\n— a.example ${toBase64(new Uint8Array(3))}\n`,
  ];
  for (const text of refused) refuses(t, 'log-note-invalid', () => parseNote(utf8(text)), JSON.stringify(text));
  refuses(t, 'encoding-invalid', () => parseNote(utf8('text\n\n— a AAAAAAA\n')), 'no base64');
  refuses(
    t,
    'log-note-invalid',
    () => parseNote(Uint8Array.of(...utf8('t'), 0xff, ...utf8(`\n\n${GOOD}`))),
    'no UTF-8',
  );
  refuses(t, 'log-note-invalid', () => parseNote(new Uint8Array(MAX_NOTE_BYTES + 1).fill(65)), 'too long');
  refuses(t, 'log-note-invalid', () => parseSignatures(utf8('')), 'no line at all');
  sameBytes(t, utf8(parseNote(utf8(`\ufefftext\n\n${GOOD}`)).text), utf8('\ufefftext\n'), 'a mark is part of the text');
});

t.test('what would not come back is not written', async (t) => {
  const signatures = [lineOf('a', 1)];
  for (const text of ['x', '\ud800\n', 'x\ty\n']) {
    refuses(t, 'log-note-invalid', () => formatNote({ text, signatures }), JSON.stringify(text));
  }
  refuses(t, 'log-note-invalid', () => formatNote({ text: 'x\n', signatures: [] }), 'no signature');
  refuses(t, 'log-note-invalid', () => formatNote({ text: 'x\n', signatures: [lineOf('a b', 1)] }), 'a bad name');
});

t.test('key names', async (t) => {
  for (const name of ['a', 'example.com/foo', 'é', 'a'.repeat(255)]) t.ok(isKeyName(name), name);
  for (const name of ['', 'a b', 'a+b', 'a\u00a0b', 'a\u3000b', 'a\x7fb', 'a\nb', '\ud800', 'é'.repeat(128)]) {
    t.notOk(isKeyName(name), JSON.stringify(name));
  }
});
