import t from 'tap';
import {
  BLOCK_STEP_BYTES,
  DEFAULT_BLOCK_BYTES,
  FIXED_HEADER_BYTES,
  type FixedHeader,
  headerBytes,
  isBlockSize,
  MAX_BLOCK_BYTES,
  MAX_TTL_SECONDS,
  MIN_BLOCK_BYTES,
  parseHeader,
  STANZA_BYTES,
  stanzaCountFor,
  writeFixedHeader,
  writeStanza,
} from '../../protocol/block.ts';
import { coins, patched, refuses } from '../fixtures/protocol.ts';

const FIXED: FixedHeader = {
  burnAtClaim: true,
  stanzaCount: 4,
  views: 3,
  ttlSeconds: 86_400,
  iv: coins('iv')(12),
};

function header(): Uint8Array {
  const random = coins('stanzas');
  const bytes = random(headerBytes(4));
  writeFixedHeader(bytes, FIXED);
  for (let i = 0; i < 4; i++) {
    writeStanza(bytes, i, {
      keyId: patched(random(16), 0, i),
      ciphertext: random(1120),
      wrappedKey: random(48),
      ackCommit: random(32),
    });
  }
  return bytes;
}

t.test('the lengths are those of the format', async (t) => {
  t.equal(headerBytes(1), 26 + 1216 + 32);
  t.equal(headerBytes(256), 311_354);
  t.equal(STANZA_BYTES, 16 + 1120 + 48 + 32);
  t.same([1, 2, 3, 4, 5, 255, 256].map(stanzaCountFor), [1, 2, 4, 4, 8, 256, 256]);
});

t.test('block sizes are multiples of 64 KiB from 64 KiB to 16 MiB', async (t) => {
  for (const size of [MIN_BLOCK_BYTES, DEFAULT_BLOCK_BYTES, MAX_BLOCK_BYTES]) t.ok(isBlockSize(size), String(size));
  for (const size of [0, MIN_BLOCK_BYTES - BLOCK_STEP_BYTES, MIN_BLOCK_BYTES + 1, MAX_BLOCK_BYTES + BLOCK_STEP_BYTES]) {
    t.notOk(isBlockSize(size), String(size));
  }
});

t.test('encode(parse(x)) is x', async (t) => {
  const bytes = header();
  const parsed = parseHeader(bytes);
  t.match(parsed, { burnAtClaim: true, stanzaCount: 4, views: 3, ttlSeconds: 86_400 });
  const again = new Uint8Array(bytes.length);
  writeFixedHeader(again, parsed);
  for (const [i, stanza] of parsed.stanzas.entries()) writeStanza(again, i, stanza);
  again.set(parsed.commit, again.length - 32);
  t.same(again, bytes);
  t.equal(parsed.stanzas[0]!.keyId.buffer, bytes.buffer, 'views, not copies');
});

t.test('without the flag a block burns at its acknowledgement', async (t) => {
  t.equal(parseHeader(patched(header(), 5, 0)).burnAtClaim, false);
});

t.test('every field outside its range is refused', async (t) => {
  const bytes = header();
  const cases: [string, Uint8Array][] = [
    ['magic', patched(bytes, 3, 0x32)],
    ['suite', patched(bytes, 4, 2)],
    ['an unknown flag', patched(bytes, 5, 3)],
    ['no stanza', patched(bytes, 6, 0, 0)],
    ['three stanzas', patched(bytes, 6, 0, 3)],
    ['512 stanzas', patched(bytes, 6, 2, 0)],
    ['no view', patched(bytes, 8, 0, 0)],
    ['more views than stanzas', patched(bytes, 8, 0, 5)],
    ['no time to live', patched(bytes, 10, 0, 0, 0, 0)],
    ['a time to live above a week', patched(bytes, 10, 0, 9, 0x3a, 0x81)],
    ['stanzas out of order', patched(bytes, FIXED_HEADER_BYTES, 2)],
    ['a key id twice', patched(bytes, FIXED_HEADER_BYTES + STANZA_BYTES, ...bytes.subarray(26, 42))],
    ['cut in the commit', bytes.subarray(0, bytes.length - 1)],
    ['cut in a stanza', bytes.subarray(0, 2000)],
    ['cut in the fixed part', bytes.subarray(0, 25)],
    ['empty', new Uint8Array(0)],
  ];
  for (const [what, changed] of cases) refuses(t, 'block-invalid', () => parseHeader(changed), what);
  t.equal(parseHeader(patched(bytes, 10, 0, 9, 0x3a, 0x80)).ttlSeconds, MAX_TTL_SECONDS, 'a week is allowed');
});
