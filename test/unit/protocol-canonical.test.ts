import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes, canonicalText, parseCanonical, parseJson } from '../../protocol/canonical.ts';
import { refuses } from '../fixtures/protocol.ts';

t.test('canonical text has sorted keys and no white space', async (t) => {
  t.equal(canonicalText({ b: [1, { d: null, c: true }], a: 'é' }), '{"a":"é","b":[1,{"c":true,"d":null}]}');
  t.same(canonicalBytes('é'), utf8('"é"'));
  refuses(t, 'json-invalid', () => canonicalText(undefined));
});

t.test('JSON that has no canonical form is refused, since JSON.parse lets it through', async (t) => {
  for (const text of ['1e400', '[-1e400]', '"\\ud800"', '{"\\udc00":1}']) {
    const value = parseJson(utf8(text), 100);
    refuses(t, 'json-invalid', () => canonicalText(value), text);
    refuses(t, 'json-invalid', () => canonicalBytes(value), text);
    refuses(t, 'json-not-canonical', () => parseCanonical(utf8(text), 100), text);
  }
});

t.test('parseCanonical gives back what canonicalBytes wrote, and accepts no other spelling', async (t) => {
  const value = { a: [1, -0.5, 1e21, 'x', true, null], b: {} };
  const bytes = canonicalBytes(value);
  t.same(parseCanonical(bytes, bytes.length), value);
  for (const text of [
    '{"a": 1}',
    '{"b":1,"a":2}',
    '{"a":1.0}',
    '{"a":-0}',
    '{"a":1,"a":2}',
    '{"a":"\\u0041"}',
    '{"a":"\\ud800"}',
    '{"a":1}\n',
  ]) {
    refuses(t, 'json-not-canonical', () => parseCanonical(utf8(text), 1_048_576), text);
  }
});

t.test('parseJson takes any spelling, within its size', async (t) => {
  t.same(parseJson(utf8(' {"a" : 1.0}\n'), 100), { a: 1 });
  refuses(t, 'json-invalid', () => parseJson(utf8('"aaa"'), 4), 'above the limit');
  refuses(t, 'json-invalid', () => parseJson(utf8('{"a":}'), 100), 'no JSON');
  refuses(t, 'json-invalid', () => parseJson(Uint8Array.of(0x22, 0xff, 0x22), 100), 'no UTF-8');
  refuses(t, 'json-invalid', () => parseJson(Uint8Array.of(0xef, 0xbb, 0xbf, 0x31), 100), 'a byte order mark');
});
