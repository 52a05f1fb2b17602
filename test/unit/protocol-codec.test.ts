import { zstdCompressSync } from 'node:zlib';
import t from 'tap';
import { decode, encode } from '../../protocol/codec.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';

t.test('what does not fit is compressed, what fits is left alone', async (t) => {
  const text = new Uint8Array(10_000).fill(65);
  const packed = encode(text, 9999);
  t.equal(packed.codec, 'zstd');
  t.ok(packed.data.length < 100);
  sameBytes(t, decode('zstd', packed.data, text.length), text);

  const kept = encode(text, 10_000);
  t.equal(kept.codec, 'identity', 'although it would compress');
  t.equal(decode('identity', kept.data, 10_000), text, 'no copy');
  sameBytes(t, decode(encode(new Uint8Array(0), 0).codec, new Uint8Array(0), 0), new Uint8Array(0));
});

t.test('a bomb does not get the memory that it asks for', async (t) => {
  const bomb = zstdCompressSync(new Uint8Array(268_435_456));
  const before = process.resourceUsage().maxRSS;
  for (const plainBytes of [1, 65_536]) refuses(t, 'payload-invalid', () => decode('zstd', bomb, plainBytes));
  const grownKiB = process.resourceUsage().maxRSS - before;
  t.ok(grownKiB < 65_536, `${grownKiB} KiB more for 256 MiB of zeros`);
});

t.test('decoding is bounded by what the frame says', async (t) => {
  const bomb = zstdCompressSync(new Uint8Array(1_000_000));
  refuses(t, 'payload-invalid', () => decode('zstd', bomb, 999_999), 'one byte too many');
  refuses(t, 'payload-invalid', () => decode('zstd', bomb, 0), 'none allowed');
  refuses(t, 'payload-invalid', () => decode('zstd', bomb, 1_000_001), 'one byte too few');
  refuses(t, 'payload-invalid', () => decode('zstd', Uint8Array.of(1, 2, 3), 3), 'no zstd');
  refuses(t, 'payload-invalid', () => decode('zstd', bomb.subarray(0, bomb.length - 1), 1_000_000), 'cut');
  const twice = Buffer.concat([bomb, bomb]);
  refuses(t, 'payload-invalid', () => decode('zstd', twice, 1_000_000), 'a second frame behind the first');
  refuses(t, 'payload-invalid', () => decode('identity', Uint8Array.of(1), 2), 'another length');
});
