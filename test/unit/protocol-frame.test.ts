import t from 'tap';
import { nativeEngine } from '../../protocol/engine/native.ts';
import {
  FRAME_FIELDS_BYTES,
  FRAME_OVERHEAD_BYTES,
  FRAME_TYPES,
  type FrameFields,
  frameCapacity,
  MAX_PLAIN_BYTES,
  parseFrame,
  signedPart,
  writeFrame,
} from '../../protocol/frame.ts';
import { coins, frameFieldsOf, party, patched, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const sender = party(nativeEngine, 'sender');
const receiver = party(nativeEngine, 'receiver');
const FIELDS: FrameFields = {
  ...frameFieldsOf(sender, [receiver]),
  previousRun: seed('previous run').subarray(0, 16),
  expiryMs: 5,
  group: { id: seed('group').subarray(0, 16), index: 1, count: 2, wholeSha256: seed('whole') },
};
const DATA = Uint8Array.of(1, 2, 3, 4, 5);
const FRAME_BYTES = FRAME_OVERHEAD_BYTES + 100;

/** Offsets of the fields that a parser checks, as docs/formats.md gives them. */
const AT = {
  blockSeq: 84,
  firstRecord: 92,
  timeQuality: 112,
  type: 161,
  codec: 162,
  dataLength: 163,
  plainLength: 167,
};

function frame(): Uint8Array {
  const bytes = coins('what stood there before')(FRAME_BYTES);
  writeFrame(bytes, FIELDS, DATA);
  return bytes;
}

t.test('encode(parse(x)) is x', async (t) => {
  const bytes = frame();
  const parsed = parseFrame(bytes);
  t.match(parsed, { ...FIELDS, data: DATA });
  sameBytes(t, parsed.signatures, bytes.subarray(-3373));
  const again = new Uint8Array(FRAME_BYTES);
  writeFrame(again, parsed, parsed.data);
  again.set(parsed.signatures, FRAME_BYTES - 3373);
  sameBytes(t, again, bytes);
});

t.test('the signed part ends where the signatures begin', async (t) => {
  t.equal(signedPart(frame()).length, FRAME_FIELDS_BYTES + 100);
});

t.test('data fills a frame to its last byte and no further', async (t) => {
  const bytes = new Uint8Array(FRAME_BYTES);
  t.equal(frameCapacity(FRAME_BYTES), 100);
  const full = { ...FIELDS, plainBytes: 100 };
  writeFrame(bytes, full, coins('data')(100));
  t.equal(parseFrame(bytes).data.length, 100);
  refuses(t, 'payload-invalid', () => writeFrame(bytes, full, new Uint8Array(101)));
});

t.test('what a parser refuses', async (t) => {
  const bytes = frame();
  const cases: [string, Uint8Array][] = [
    ['an unknown time quality', patched(bytes, AT.timeQuality, 6)],
    ['a block sequence above 2^53', patched(bytes, AT.blockSeq, 0x20)],
    ['a record sequence above 2^53', patched(bytes, AT.firstRecord, 0x20)],
    ['a plain length that differs without a codec', patched(bytes, AT.plainLength, 0, 0, 0, 6)],
    ['data longer than the frame', patched(bytes, AT.dataLength, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 0)],
    ['data that reaches into the signatures', patched(bytes, AT.dataLength, 0, 0, 0, 101, 0, 0, 0, 101)],
    ['a plain length above 16 MiB', patched(bytes, AT.plainLength, 1, 0, 0, 1)],
    ['no room for the signatures', bytes.subarray(0, 3000)],
    ['no room for the fields', bytes.subarray(0, FRAME_FIELDS_BYTES - 1)],
  ];
  for (const [what, changed] of cases) refuses(t, 'frame-invalid', () => parseFrame(changed), what);
  refuses(t, 'type-unsupported', () => parseFrame(patched(bytes, AT.type, FRAME_TYPES.length)), 'an unknown type');
  refuses(t, 'type-unsupported', () => parseFrame(patched(bytes, AT.codec, 2)), 'an unknown codec');
  refuses(t, 'padding-invalid', () => parseFrame(patched(bytes, FRAME_FIELDS_BYTES + 5, 1)), 'the first padding byte');
  refuses(t, 'padding-invalid', () => parseFrame(patched(bytes, FRAME_BYTES - 3374, 1)), 'the last padding byte');
});

t.test('with a codec the plain length may differ, up to 16 MiB', async (t) => {
  const bytes = new Uint8Array(FRAME_BYTES);
  writeFrame(bytes, { ...FIELDS, codec: 'zstd', plainBytes: MAX_PLAIN_BYTES }, DATA);
  t.match(parseFrame(bytes), { codec: 'zstd', plainBytes: MAX_PLAIN_BYTES });
});
