/** Bytes from strangers: a parser accepts them or refuses with its code, and nothing else comes out of it. */
import t from 'tap';
import { headerBytes, parseHeader } from '../../protocol/block.ts';
import { concat, utf8 } from '../../protocol/bytes.ts';
import { decode } from '../../protocol/codec.ts';
import { CONTROL_BYTES, encodeControl, parseControl } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { portableEngine } from '../../protocol/engine/portable.ts';
import { FRAME_OVERHEAD_BYTES, parseFrame, writeFrame } from '../../protocol/frame.ts';
import { digestOf } from '../../protocol/identity.ts';
import {
  encodeFileChunk,
  encodeIdle,
  encodeRecords,
  parseFileChunk,
  parseIdle,
  parseRecords,
} from '../../protocol/payload.ts';
import { parseReceipt, signReceipt, verifyReceipt } from '../../protocol/receipt.ts';
import { fromBase64Url, fromHex } from '../../protocol/text.ts';
import { codesOf, mutated } from '../fixtures/mutations.ts';
import { codeOf, coins, frameFieldsOf, party, sealed, sealOptions, seed } from '../fixtures/protocol.ts';

const random = coins('hostile bytes');
const [sender, receiver] = [party(engine, 'sender'), party(engine, 'receiver')];

t.test('binary parsers', async (t) => {
  const frame = new Uint8Array(FRAME_OVERHEAD_BYTES + 300);
  writeFrame(frame, frameFieldsOf(sender, [receiver]), utf8('abcde'));
  const records = encodeRecords([
    { seq: 4, wallTimeMs: 5, bytes: utf8('one') },
    { seq: 9, wallTimeMs: 6, bytes: utf8('two') },
  ]);
  const idle = encodeIdle({ sourceState: 'ok', backlogRecords: 1, backlogAgeMs: 2 });
  const chunk = encodeFileChunk({ name: 'é.csv', bytes: utf8('x') });
  const header = sealed(engine, sealOptions(sender, [receiver], utf8('x'))).subarray(0, headerBytes(1));
  const cases: [string, Uint8Array, (bytes: Uint8Array) => unknown, string[]][] = [
    ['header', header, parseHeader, ['accepted', 'block-invalid']],
    ['frame', frame, parseFrame, ['accepted', 'frame-invalid', 'padding-invalid', 'type-unsupported']],
    ['records', records, (bytes) => parseRecords(bytes, 4, 2), ['accepted', 'payload-invalid']],
    ['idle', idle, parseIdle, ['accepted', 'payload-invalid']],
    ['file chunk', chunk, parseFileChunk, ['accepted', 'payload-invalid']],
    [
      'zstd',
      Buffer.from('28b52ffd2003190000616263', 'hex'),
      (bytes) => decode('zstd', bytes, 3),
      ['accepted', 'payload-invalid'],
    ],
  ];
  for (const [what, bytes, parse, allowed] of cases) {
    t.equal(
      codeOf(() => parse(bytes)),
      'accepted',
      what,
    );
    const codes = codesOf(1000, () => mutated(random, bytes), parse);
    t.same(
      [...codes.keys()].filter((code) => !allowed.includes(code)),
      [],
      `1000 x ${what}`,
    );
    t.notSame([...codes.keys()], ['accepted'], 'some were refused');
  }
});

t.test('control frame', async (t) => {
  const transferId = seed('transfer').subarray(0, 16);
  const frame = encodeControl([
    { type: 'session', sessionId: transferId, maxLeases: 4 },
    { type: 'ack', transferId, ackSecret: seed('ack') },
    { type: 'reject', transferId, code: 'replay' },
    { type: 'problem', transferId, code: 'usage' },
    { type: 'rosterPiece', version: 1, offset: 0, total: 9, bytes: seed('piece') },
  ]);
  const items = frame.subarray(0, 200);
  const mutate = () => {
    const out = new Uint8Array(CONTROL_BYTES);
    out.set(mutated(random, items).subarray(0, CONTROL_BYTES));
    return out;
  };
  const codes = codesOf(3000, mutate, parseControl);
  t.same([...codes.keys()].sort(), ['accepted', 'control-invalid']);
  t.same(
    [...codesOf(200, () => mutated(random, frame), parseControl).keys()].filter((c) => !codes.has(c)),
    [],
  );
});

t.test('delivery receipt', async (t) => {
  const bytes = signReceipt(engine, receiver.signer, {
    receiverDigest: receiver.digest,
    senderDigest: sender.digest,
    streamId: idOf('stream'),
    run: idOf('run'),
    serial: 1,
    nextRecord: 5,
    ranges: [{ first: 7, count: 2 }],
    rejects: [{ blockSeq: 1, code: 'replay' }],
  });
  const parsed = codesOf(
    1000,
    () => concat(mutated(random, bytes.subarray(0, 454)), bytes.subarray(454)),
    parseReceipt,
  );
  t.same(
    [...parsed.keys()].filter((code) => code !== 'accepted' && code !== 'receipt-invalid'),
    [],
  );
  const verify = (value: Uint8Array) => verifyReceipt(engine, value, receiver.signer.publicKeys);
  t.same([...codesOf(1000, () => mutated(random, bytes), verify).keys()], ['receipt-invalid'], 'none is believed');
});

t.test('texts', async (t) => {
  const text = (from: string) => () => Buffer.from(mutated(random, utf8(from))).toString('latin1');
  const dids = codesOf(1000, text(sender.did), digestOf);
  t.same(
    [...dids.keys()].filter((code) => code !== 'accepted' && code !== 'did-invalid'),
    [],
  );
  for (const parse of [fromBase64Url, (value: string) => fromHex(value, 16)]) {
    const codes = codesOf(1000, text('0123456789abcdef0123456789abcdef'), parse);
    t.same(
      [...codes.keys()].filter((code) => code !== 'accepted' && code !== 'encoding-invalid'),
      [],
    );
  }
});

t.test('keys and signatures', async (t) => {
  const { publicKeys } = sender.signer;
  const pair = sender.signer.sign('ghostpipe/block/v1', seed('digest'));
  for (const any of [engine, portableEngine(coins('hostile keys'))]) {
    const verify = (keys: typeof publicKeys, signatures: Uint8Array) =>
      any.verify(keys, 'ghostpipe/block/v1', seed('digest'), signatures);
    t.ok(verify(publicKeys, pair));
    const rounds = any.name === 'native' ? 300 : 20;
    for (let i = 0; i < rounds; i++) {
      const keys = { mldsa65: mutated(random, publicKeys.mldsa65), ed25519: mutated(random, publicKeys.ed25519) };
      if (verify(keys, pair) || verify(publicKeys, mutated(random, pair))) t.fail(`round ${i} verified`);
    }
    const { ciphertext } = any.encapsulate(receiver.recipient.publicKey);
    const kem = codesOf(
      rounds,
      () => mutated(random, ciphertext),
      (value) => receiver.kemKey.decapsulate(value),
    );
    const keys = codesOf(
      rounds,
      () => mutated(random, receiver.recipient.publicKey),
      (value) => any.encapsulate(value),
    );
    for (const codes of [kem, keys]) {
      t.same(
        [...codes.keys()].filter((code) => code !== 'accepted' && code !== 'kem-invalid'),
        [],
      );
    }
  }
});

function idOf(name: string): Uint8Array {
  return seed(name).subarray(0, 16);
}
