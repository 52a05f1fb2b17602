import t from 'tap';
import { ByteWriter, concat, utf8 } from '../../protocol/bytes.ts';
import {
  CONTROL_BYTES,
  type ControlItem,
  encodeControl,
  itemBytes,
  itemOf,
  MAX_ROSTER_PIECE_BYTES,
  parseControl,
  TRANSFER_STATES,
} from '../../protocol/control.ts';
import { fillControl, roomBeside } from '../../protocol/control-room.ts';
import { RECEIPT_BYTES } from '../../protocol/receipt.ts';
import { coins, patched, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const transferId = seed('transfer').subarray(0, 16);
const ITEMS: ControlItem[] = [
  { type: 'session', sessionId: seed('session').subarray(0, 16), maxLeases: 300 },
  { type: 'ack', transferId, ackSecret: seed('ack') },
  { type: 'reject', transferId, code: 'incomplete' },
  { type: 'receipt', bytes: coins('receipt')(RECEIPT_BYTES) },
  { type: 'epoch', epochId: seed('epoch').subarray(0, 16) },
  { type: 'accepted', transferId, repeated: true },
  { type: 'accepted', transferId, repeated: false },
  { type: 'lease', transferId, blockSha256: seed('block'), attempt: 2, leaseMs: 60_000 },
  { type: 'cover' },
  { type: 'logReceipt', bytes: new Uint8Array(2523).fill(7) },
  { type: 'commitSalt', transferId: new Uint8Array(16).fill(8), salt: new Uint8Array(32).fill(9) },
  { type: 'logRecord', bytes: utf8('{"a":1}') },
  { type: 'logProof', transferId, bytes: utf8('c2sp.org/tlog-proof@v1') },
  { type: 'logTail', transferId, bytes: utf8('{"tail":1}') },
  { type: 'logEpoch', originHash: seed('origin'), bytes: utf8('c2sp.org/tlog-proof@v1') },
  { type: 'status', transferId, state: 'unknown' },
  { type: 'problem', transferId, code: 'lease-expired' },
  { type: 'rosterPiece', version: 4, offset: 24_576, total: 30_000, bytes: coins('piece')(100) },
  { type: 'registration', bytes: coins('registration')(90) },
  { type: 'rosterHave', version: 3, partVersion: 4, partBytes: 24_576 },
  { type: 'peerHave', digest: seed('peer'), keyId: seed('key').subarray(0, 16) },
  { type: 'peer', digest: seed('peer'), bytes: coins('documents')(80) },
];

/** A frame with one item of raw type and value. */
function raw(type: number, value: Uint8Array): Uint8Array {
  const frame = new Uint8Array(CONTROL_BYTES);
  new ByteWriter(frame).bytes(utf8('GPC1')).u8(type).u16(value.length).bytes(value);
  return frame;
}

t.test('encode(parse(x)) is x for every item', async (t) => {
  const frame = encodeControl(ITEMS);
  t.equal(frame.length, CONTROL_BYTES);
  t.same(parseControl(frame), ITEMS);
  sameBytes(t, encodeControl(parseControl(frame)), frame);
  t.same(parseControl(encodeControl([])), []);
});

t.test('type numbers and lengths on the wire', async (t) => {
  const heads = ITEMS.map((item) => encodeControl([item]).subarray(4, 7));
  t.same(
    heads.map((head) => [head[0], head[1]! * 256 + head[2]!]),
    [
      [1, 18],
      [2, 48],
      [3, 17],
      [4, 3827],
      [5, 16],
      [6, 17],
      [6, 17],
      [7, 56],
      [8, 0],
      [16, 2523],
      [17, 48],
      [18, 7],
      [19, 38],
      [20, 26],
      [21, 54],
      [9, 17],
      [10, 29],
      [11, 112],
      [12, 90],
      [13, 12],
      [14, 48],
      [15, 112],
    ],
  );
  t.equal(itemBytes({ type: 'cover' }), 3);
});

t.test('the first item of a type', async (t) => {
  t.equal(itemOf(ITEMS, 'accepted')?.repeated, true);
  t.equal(itemOf([], 'cover'), undefined);
});

t.test('a frame is filled to its last byte', async (t) => {
  const piece = (length: number): ControlItem => ({
    type: 'rosterPiece',
    version: 1,
    offset: 0,
    total: 0,
    bytes: new Uint8Array(length).fill(7),
  });
  const rest = CONTROL_BYTES - 4 - itemBytes(piece(MAX_ROSTER_PIECE_BYTES));
  const full = [piece(MAX_ROSTER_PIECE_BYTES), piece(rest - 15)];
  t.same(parseControl(encodeControl(full)), full);
  t.same(fillControl(full), { fits: full, left: [] });
  t.same([roomBeside([]), roomBeside(full)], [CONTROL_BYTES - 4, 0]);
  const over = [...full, { type: 'cover' } as const];
  refuses(t, 'control-invalid', () => encodeControl(over));
  t.same(fillControl(over), { fits: full, left: [{ type: 'cover' }] });
});

t.test('unknown types are skipped', async (t) => {
  const known = encodeControl([{ type: 'cover' }]).subarray(4, 7);
  const frame = new Uint8Array(CONTROL_BYTES);
  frame.set(concat(utf8('GPC1'), Uint8Array.of(31, 0, 2, 9, 9), known));
  t.same(parseControl(frame), [{ type: 'cover' }]);
});

t.test('what a parser refuses', async (t) => {
  const frame = encodeControl(ITEMS);
  const id = new Uint8Array(31);
  const overfull = new Uint8Array(CONTROL_BYTES);
  new ByteWriter(overfull)
    .bytes(utf8('GPC1'))
    .u8(200)
    .u16(CONTROL_BYTES - 7 - 1);
  const cases: [string, Uint8Array][] = [
    ['a short frame', frame.subarray(1)],
    ['a long frame', concat(frame, Uint8Array.of(0))],
    ['magic', patched(frame, 0, 0x58)],
    ['a byte behind the end', patched(frame, CONTROL_BYTES - 1, 1)],
    ['an item longer than the frame', patched(raw(200, new Uint8Array(0)), 5, 0xff, 0xff)],
    ['an item head cut by the end', patched(overfull, CONTROL_BYTES - 1, 200)],
    ['a short ack', raw(2, new Uint8Array(47))],
    ['a long ack', raw(2, new Uint8Array(49))],
    ['an unknown reject code', raw(3, concat(id, Uint8Array.of(8)))],
    ['an unknown flag', raw(6, concat(id, Uint8Array.of(2)))],
    ['an unknown state', raw(9, concat(id, Uint8Array.of(TRANSFER_STATES.length)))],
    ['an unknown problem code', raw(10, concat(id, utf8('no-such-code')))],
    ['an inherited name as problem code', raw(10, concat(id, utf8('constructor')))],
    ['a problem code that is too long', raw(10, concat(id, utf8('usage'.repeat(100))))],
    ['a cover with bytes', raw(8, new Uint8Array(1))],
    ['a log record that is too long', raw(18, new Uint8Array(2049))],
    ['a proof without its transfer', raw(19, new Uint8Array(15))],
    ['a tail proof without its transfer', raw(20, new Uint8Array(15))],
    ['an epoch without its origin', raw(21, new Uint8Array(31))],
    ['a roster piece that is too long', raw(11, new Uint8Array(12 + MAX_ROSTER_PIECE_BYTES + 1))],
  ];
  for (const [what, changed] of cases) refuses(t, 'control-invalid', () => parseControl(changed), what);
});
