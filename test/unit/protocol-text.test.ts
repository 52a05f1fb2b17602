import t from 'tap';
import {
  fromBase64,
  fromBase64Url,
  fromDecimal,
  fromHex,
  PIN_PATTERN,
  pinOf,
  toBase64,
  toBase64Url,
  toHex,
} from '../../protocol/text.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';

t.test('base64url without padding, in one spelling', async (t) => {
  const bytes = Uint8Array.of(0xfb, 0xff, 0xfe, 0x01);
  t.equal(toBase64Url(bytes), '-__-AQ');
  sameBytes(t, fromBase64Url('-__-AQ'), bytes);
  for (const text of ['-__-AQ==', '-__-AR', '+//+AQ', 'A', 'AQ ', 'é']) {
    refuses(t, 'encoding-invalid', () => fromBase64Url(text), text);
  }
});

t.test('base64 with padding, in one spelling', async (t) => {
  const bytes = Uint8Array.of(0xfb, 0xff, 0xfe, 0x01);
  t.equal(toBase64(bytes), '+//+AQ==');
  sameBytes(t, fromBase64('+//+AQ=='), bytes);
  sameBytes(t, fromBase64(''), new Uint8Array(0));
  for (const text of [
    '+//+AQ',
    '+//+AR==',
    '-__-AQ==',
    'A',
    '+//+AQ== ',
    '+//+\nAQ==',
    '+//+AQ=',
    '\t+//+AQ==',
    '+//+AQ==\n',
    'é',
  ]) {
    refuses(t, 'encoding-invalid', () => fromBase64(text), text);
  }
});

t.test('decimals in one spelling', async (t) => {
  for (const value of [0, 7, 10, 15_081_221, Number.MAX_SAFE_INTEGER]) t.equal(fromDecimal(String(value)), value);
  for (const text of [
    '',
    '00',
    '01',
    '-1',
    '+1',
    ' 1',
    '1 ',
    '1.0',
    '1e3',
    '0x1',
    '9007199254740992',
    '1'.repeat(17),
  ]) {
    refuses(t, 'encoding-invalid', () => fromDecimal(text), text);
  }
});

t.test('hex in lower case and of one length', async (t) => {
  t.equal(toHex(Uint8Array.of(0, 171)), '00ab');
  sameBytes(t, fromHex('00ab', 2), Uint8Array.of(0, 171));
  for (const text of ['00AB', '00a', '00ab00', 'zzzz']) refuses(t, 'encoding-invalid', () => fromHex(text, 2), text);
});

t.test('a pin is the SHA-256 of bytes', async (t) => {
  t.equal(pinOf(new Uint8Array(0)), 'sha256/47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU');
  t.match(pinOf(Uint8Array.of(1)), PIN_PATTERN);
});
