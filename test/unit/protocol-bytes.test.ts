import t from 'tap';
import { ByteReader, ByteWriter, compareBytes, concat, equalBytes, isZero, utf8 } from '../../protocol/bytes.ts';
import { patched, refuses } from '../fixtures/protocol.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);

t.test('a writer writes big-endian and a reader reads it back', async (t) => {
  const out = new Uint8Array(20);
  const writer = new ByteWriter(out).u8(1).u16(0x0203).u32(0x04050607).u64(0x08090a0b0c0d).bytes(bytes(9, 9)).zeros(2);
  t.equal(writer.at, 19);
  t.same(out, bytes(1, 2, 3, 4, 5, 6, 7, 0, 0, 8, 9, 10, 11, 12, 13, 9, 9, 0, 0, 0));
  const reader = new ByteReader(out, 'frame-invalid');
  t.same([reader.u8(), reader.u16(), reader.u32(), reader.u64()], [1, 0x0203, 0x04050607, 0x08090a0b0c0d]);
  t.same(reader.bytes(2), bytes(9, 9));
  t.equal(reader.left, 3);
  reader.bytes(3);
  reader.end();
});

t.test('zeros overwrite what stood there', async (t) => {
  const out = bytes(7, 7, 7);
  new ByteWriter(out).zeros(2);
  t.same(out, bytes(0, 0, 7));
});

t.test('a reader reads a view at an offset, not its whole buffer', async (t) => {
  t.equal(new ByteReader(bytes(9, 9, 1, 2).subarray(2), 'frame-invalid').u16(), 0x0102);
});

t.test('a reader refuses with the code it was made with', async (t) => {
  refuses(t, 'receipt-invalid', () => new ByteReader(bytes(1), 'receipt-invalid').u16(), 'too short');
  refuses(t, 'control-invalid', () => new ByteReader(bytes(1), 'control-invalid').end(), 'left over');
  const above = bytes(0, 0x20, 0, 0, 0, 0, 0, 0);
  refuses(t, 'frame-invalid', () => new ByteReader(above, 'frame-invalid').u64(), '2^53');
  const greatest = bytes(0, 0x1f, 255, 255, 255, 255, 255, 255);
  t.equal(new ByteReader(greatest, 'frame-invalid').u64(), Number.MAX_SAFE_INTEGER);
});

t.test('a writer never writes past its end', async (t) => {
  t.throws(() => new ByteWriter(new Uint8Array(1)).u16(1), RangeError);
});

t.test('concat, equalBytes and compareBytes', async (t) => {
  t.same(concat(bytes(1), bytes(), bytes(2, 3)), bytes(1, 2, 3));
  t.ok(equalBytes(bytes(1, 2), bytes(1, 2)));
  t.notOk(equalBytes(bytes(1, 2), bytes(1, 3)));
  t.notOk(equalBytes(bytes(1, 2), bytes(1, 2, 0)), 'another length');
  t.same([bytes(2), bytes(1, 255), bytes(1), bytes(0x80)].sort(compareBytes), [
    bytes(1),
    bytes(1, 255),
    bytes(2),
    bytes(0x80),
  ]);
  t.equal(compareBytes(bytes(5), bytes(5)), 0);
});

t.test('isZero looks at every byte, with and without a native comparison', async (t) => {
  const answers = () => {
    const long = new Uint8Array(65_536 * 2 + 1);
    const places = [0, 65_535, 65_536, long.length - 1];
    return [isZero(new Uint8Array(0)), isZero(long), ...places.map((at) => isZero(patched(long, at, 1)))];
  };
  const expected = [true, true, false, false, false, false];
  t.same(answers(), expected);
  const { Buffer: native } = globalThis;
  Object.assign(globalThis, { Buffer: undefined });
  const portable = answers();
  Object.assign(globalThis, { Buffer: native });
  t.same(portable, expected);
});

t.test('utf8', async (t) => {
  t.same(utf8('é'), bytes(0xc3, 0xa9));
});
