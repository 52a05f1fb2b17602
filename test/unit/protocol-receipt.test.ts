import t from 'tap';
import { concat } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import {
  type DeliveryReceipt,
  MAX_RECEIPT_RANGES,
  MAX_RECEIPT_REJECTS,
  parseReceipt,
  RECEIPT_BYTES,
  signReceipt,
  verifyReceipt,
} from '../../protocol/receipt.ts';
import { flipped, party, patched, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const receiver = party(engine, 'receiver');
const keys = receiver.signer.publicKeys;
const RECEIPT: DeliveryReceipt = {
  receiverDigest: receiver.digest,
  senderDigest: seed('sender'),
  streamId: seed('stream').subarray(0, 16),
  run: seed('run').subarray(0, 16),
  serial: 12,
  nextRecord: 100,
  ranges: [
    { first: 102, count: 3 },
    { first: 200, count: 1 },
  ],
  rejects: [{ blockSeq: 9, code: 'sink-refused' }],
};
const FULL: DeliveryReceipt = {
  ...RECEIPT,
  ranges: Array.from({ length: MAX_RECEIPT_RANGES }, (_, i) => ({ first: 101 + i * 2, count: 1 })),
  rejects: Array.from({ length: MAX_RECEIPT_REJECTS }, (_, i) => ({ blockSeq: i, code: 'replay' as const })),
};

/** Offsets as docs/formats.md gives them. */
const AT = { serial: 100, nextRecord: 108, rangeCount: 116, ranges: 117, rejectCount: 309, rejects: 310 };

t.test('encode(parse(x)) is x, empty, partly filled and full', async (t) => {
  for (const receipt of [{ ...RECEIPT, ranges: [], rejects: [] }, RECEIPT, FULL]) {
    const bytes = signReceipt(engine, receiver.signer, receipt);
    t.equal(bytes.length, RECEIPT_BYTES);
    t.same(parseReceipt(bytes), receipt);
    t.same(verifyReceipt(engine, bytes, keys), receipt);
    const again = signReceipt(engine, receiver.signer, parseReceipt(bytes));
    sameBytes(t, again.subarray(0, 454), bytes.subarray(0, 454));
  }
});

t.test('what does not fit is not signed', async (t) => {
  const sign = (change: Partial<DeliveryReceipt>) => () => signReceipt(engine, receiver.signer, { ...FULL, ...change });
  refuses(t, 'receipt-invalid', sign({ ranges: [...FULL.ranges, { first: 900, count: 1 }] }));
  refuses(t, 'receipt-invalid', sign({ rejects: [...FULL.rejects, { blockSeq: 900, code: 'replay' }] }));
});

t.test('what a parser refuses', async (t) => {
  const bytes = signReceipt(engine, receiver.signer, RECEIPT);
  const cases: [string, Uint8Array][] = [
    ['magic', patched(bytes, 3, 0x32)],
    ['a serial above 2^53', patched(bytes, AT.serial, 0x20)],
    ['17 ranges', patched(bytes, AT.rangeCount, 17)],
    ['17 rejects', patched(bytes, AT.rejectCount, 17)],
    ['an unused range that is not zero', patched(bytes, AT.ranges + 24, 1)],
    ['an unused reject that is not zero', patched(bytes, AT.rejects + 9, 1)],
    ['a used range behind the count', patched(bytes, AT.rangeCount, 1)],
    ['a range that is empty', patched(bytes, AT.ranges + 8, 0, 0, 0, 0)],
    ['ranges out of order', patched(bytes, AT.ranges + 12, 0, 0, 0, 0, 0, 0, 0, 101)],
    ['a range at the next record', patched(bytes, AT.nextRecord + 7, 102)],
    ['an unknown reject code', patched(bytes, AT.rejects + 8, 8)],
    ['cut', bytes.subarray(0, -1)],
    ['extended', concat(bytes, Uint8Array.of(0))],
  ];
  for (const [what, changed] of cases) refuses(t, 'receipt-invalid', () => parseReceipt(changed), what);
});

t.test('a receipt counts with both signatures of the receiver only', async (t) => {
  const bytes = signReceipt(engine, receiver.signer, RECEIPT);
  for (const [what, at] of [
    ['a signed byte', 40],
    ['the ML-DSA-65 signature', 454],
    ['the Ed25519 signature', RECEIPT_BYTES - 1],
  ] as const) {
    refuses(t, 'receipt-invalid', () => verifyReceipt(engine, flipped(bytes, at), keys), what);
  }
  const other = party(engine, 'other');
  refuses(t, 'receipt-invalid', () => verifyReceipt(engine, bytes, other.signer.publicKeys), 'another receiver');
});
