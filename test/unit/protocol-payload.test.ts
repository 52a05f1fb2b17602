import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import {
  encodeFileChunk,
  encodeIdle,
  encodeRecords,
  MAX_RECORD_BYTES,
  parseFileChunk,
  parseIdle,
  parseRecords,
  RECORD_OVERHEAD_BYTES,
  recordBytes,
  SOURCE_STATES,
} from '../../protocol/payload.ts';
import { patched, refuses, sameBytes } from '../fixtures/protocol.ts';

t.test('records', async (t) => {
  const records = [
    { seq: 40, wallTimeMs: 1_700_000_000_000, bytes: utf8('{"t":21.5}') },
    { seq: 41, wallTimeMs: 0, bytes: new Uint8Array(0) },
    { seq: 900, wallTimeMs: 5, bytes: utf8('behind a gap') },
  ];
  const data = encodeRecords(records);
  t.equal(
    data.length,
    records.reduce((sum, record) => sum + recordBytes(record), 0),
  );
  t.same(parseRecords(data, 40, 3), records);
  sameBytes(t, encodeRecords(parseRecords(data, 40, 3)), data, 'encode(parse(x)) is x');
  t.same(parseRecords(new Uint8Array(0), 40, 0), []);

  const second = RECORD_OVERHEAD_BYTES + 10;
  refuses(t, 'payload-invalid', () => parseRecords(data, 40, 2), 'bytes left over');
  refuses(t, 'payload-invalid', () => parseRecords(data, 40, 4), 'more records than fit');
  refuses(t, 'payload-invalid', () => parseRecords(data, 40, 0xffff_ffff), 'a count that would fill the memory');
  refuses(t, 'payload-invalid', () => parseRecords(data.subarray(0, 20), 40, 1), 'cut inside a record');
  refuses(t, 'payload-invalid', () => parseRecords(patched(data, 4, 0xff), 40, 3), 'a time above 2^53');
  refuses(t, 'payload-invalid', () => parseRecords(patched(data, 3, 1), 40, 3), 'a first record that is not the first');
  refuses(t, 'payload-invalid', () => parseRecords(patched(data, second + 3, 0), 40, 3), 'a record twice');
  refuses(t, 'payload-invalid', () => parseRecords(data, Number.MAX_SAFE_INTEGER, 3), 'a number above 2^53 - 1');
  const huge = patched(new Uint8Array(RECORD_OVERHEAD_BYTES + MAX_RECORD_BYTES + 1), 12, 0, 0x10, 0, 1);
  refuses(t, 'payload-invalid', () => parseRecords(huge, 0, 1), 'a record above 1 MiB');
});

t.test('idle report', async (t) => {
  const report = { sourceState: 'silent', backlogRecords: 9, backlogAgeMs: 123_456_789_012 } as const;
  const data = encodeIdle(report);
  t.equal(data.length, 13);
  t.same(parseIdle(data), report);
  sameBytes(t, encodeIdle(parseIdle(data)), data, 'encode(parse(x)) is x');
  refuses(t, 'payload-invalid', () => parseIdle(patched(data, 0, SOURCE_STATES.length)), 'an unknown state');
  refuses(t, 'payload-invalid', () => parseIdle(data.subarray(0, 12)), 'cut');
  refuses(t, 'payload-invalid', () => parseIdle(new Uint8Array(14)), 'extended');
});

t.test('file chunk', async (t) => {
  const chunk = { name: 'données.csv', bytes: Uint8Array.of(1, 2, 3) };
  const data = encodeFileChunk(chunk);
  t.same(parseFileChunk(data), chunk);
  sameBytes(t, encodeFileChunk(parseFileChunk(data)), data, 'encode(parse(x)) is x');
  t.equal(
    parseFileChunk(encodeFileChunk({ name: '\ufeffa', bytes: chunk.bytes })).name,
    '\ufeffa',
    'no mark is dropped',
  );
  refuses(t, 'payload-invalid', () => encodeFileChunk({ ...chunk, name: '' }), 'no name to encode');
  refuses(t, 'payload-invalid', () => encodeFileChunk({ ...chunk, name: 'é'.repeat(128) }), '256 bytes to encode');
  refuses(t, 'payload-invalid', () => parseFileChunk(Uint8Array.of(0, 0, 1)), 'no name');
  refuses(t, 'payload-invalid', () => parseFileChunk(new Uint8Array(300).fill(1)), 'a name of 257 bytes');
  refuses(t, 'payload-invalid', () => parseFileChunk(Uint8Array.of(0, 2, 65)), 'cut in the name');
  refuses(t, 'payload-invalid', () => parseFileChunk(Uint8Array.of(0, 1, 0xff)), 'a name that is not UTF-8');
});
