import { createHash } from 'node:crypto';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes, type Json } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { ACTIONS, CATEGORIES } from '../../protocol/log-action.ts';
import {
  blockCommitment,
  encodeLogRecord,
  type LogEvent,
  MAX_EPOCH_RECORD_BYTES,
  MAX_LOG_RECORD_BYTES,
  parseLogRecord,
} from '../../protocol/log-record.ts';
import { recordFields } from '../fixtures/log.ts';
import { logEvents } from '../fixtures/log-events.ts';
import { refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const DID = 'did:paramant:QmaCsVpgdvx2giudTxmutwApVAPS19vzJkGxtWGCbYyvcc';
const event: LogEvent = {
  ...recordFields(7),
  act: 'transfer.rejected',
  obj: { code: 'replay', x: '00112233445566778899aabbccddeeff' },
  res: 'failure',
  src: { id: DID, k: 'device' },
};
const nonce = recordFields(7).n;
const TEXT = `{"act":"transfer.rejected","cat":"conduit","eid":405,"i":7,"n":"${nonce}","obj":{"code":"replay","x":"00112233445566778899aabbccddeeff"},"res":"failure","src":{"id":"${DID}","k":"device"},"t":1700000000007,"tq":"ntp","up":1007,"v":1}`;

t.test('a log record is canonical JSON, and the leaf its bytes', async (t) => {
  const bytes = encodeLogRecord(event);
  t.equal(Buffer.from(bytes).toString(), TEXT);
  t.same(parseLogRecord(bytes), event);
});

t.test('the longest record of each action, source and result', async (t) => {
  const events = logEvents();
  t.ok(events.length > 80, `${events.length} events`);
  for (const each of events) {
    const bytes = encodeLogRecord(each);
    const limit = each.act === 'log.epoch.open' ? MAX_EPOCH_RECORD_BYTES : MAX_LOG_RECORD_BYTES;
    if (bytes.length > limit) t.fail(`${each.act}: ${bytes.length} bytes`);
    if (bytes.some((byte) => byte < 0x20 || byte > 0x7e)) t.fail(`${each.act}: not ASCII`);
    const parsed = parseLogRecord(bytes);
    t.same(parsed, each, each.act);
    sameBytes(t, encodeLogRecord(parsed), bytes, `${each.act} by ${each.src.k}: ${each.res}`);
  }
});

t.test('numbers and categories', async (t) => {
  const kinds = Object.values(ACTIONS);
  t.equal(new Set(kinds.map(({ event: number }) => number)).size, kinds.length, 'no number stands twice');
  for (const [act, { category, event: number }] of Object.entries(ACTIONS)) {
    t.equal(Math.floor(number / 100) - 1, CATEGORIES.indexOf(category), `${act} is ${category}`);
  }
});

t.test('what is no log record is refused', async (t) => {
  const change = (changes: Record<string, Json | undefined>) => {
    const fields = Object.entries({ ...(JSON.parse(TEXT) as object), ...changes }).filter(
      ([, value]) => value !== undefined,
    );
    return canonicalBytes(Object.fromEntries(fields));
  };
  sameBytes(t, change({}), utf8(TEXT));
  const cases: [string, Record<string, Json | undefined>][] = [
    ['another category', { cat: 'access' }],
    ['another number', { eid: 404 }],
    ['a result that the action cannot have', { res: 'success' }],
    ['a source that the action cannot have', { src: { id: 'relay-1', k: 'relay' } }],
    ['an id that its kind cannot have', { src: { id: 'relay-1', k: 'device' } }],
    ['a source without an id', { src: { k: 'device' } }],
    ['an object of another action', { obj: { x: '00112233445566778899aabbccddeeff' } }],
    ['a field too many in the object', { obj: { code: 'replay', name: 'a.csv', x: '00'.repeat(16) } }],
    ['a field too many', { address: '10.0.0.1' }],
    ['no nonce', { n: undefined }],
    ['a short nonce', { n: nonce.slice(1) }],
    ['an index below 0', { i: -1 }],
    ['a time that is no integer', { t: 0.5 }],
    ['a quality that is reserved', { tq: 'ptp' }],
    ['another version', { v: 2 }],
    ['a letter beyond ASCII', { src: { id: DID.replace('Q', 'é'), k: 'device' } }],
  ];
  for (const [what, changes] of cases) refuses(t, 'schema-invalid', () => parseLogRecord(change(changes)), what);
  refuses(t, 'log-record-invalid', () => parseLogRecord(change({ act: 'transfer.lost' })), 'an action of no catalogue');
  refuses(t, 'log-record-invalid', () => parseLogRecord(change({ act: undefined })), 'no action');
  refuses(t, 'log-record-invalid', () => parseLogRecord(change({ act: 'toString' })), 'a name that all objects have');
  refuses(t, 'log-record-invalid', () => parseLogRecord(change({ act: 1 })), 'a number for an action');
  refuses(t, 'log-record-invalid', () => parseLogRecord(change({ i: 0 })), 'something else than an opening at 0');
  refuses(t, 'json-not-canonical', () => parseLogRecord(utf8(` ${TEXT}`)), 'a space');
  refuses(t, 'json-invalid', () => parseLogRecord(utf8(TEXT.slice(1))));
  refuses(t, 'json-invalid', () => parseLogRecord(new Uint8Array(16_385)));
  for (const text of ['null', '1', '[]', '"act"']) {
    refuses(t, 'log-record-invalid', () => parseLogRecord(utf8(text)), text);
  }
  const opening = logEvents().find(({ act }) => act === 'log.epoch.open')!;
  refuses(t, 'log-record-invalid', () => encodeLogRecord({ ...opening, i: 1 }), 'an opening elsewhere');
  refuses(
    t,
    'schema-invalid',
    () => encodeLogRecord({ ...event, src: { id: DID, k: 'peer' } }),
    'never written either',
  );
});

t.test('a block is committed to without being named', async (t) => {
  const [salt, hash] = [seed('salt'), seed('block')];
  const expected = createHash('sha256')
    .update('ghostpipe/block-commit/v1')
    .update(salt)
    .update(hash)
    .digest('base64url');
  t.equal(blockCommitment(engine, salt, hash), expected);
});
