import { createHash } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import t from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { AUDIT_MODES } from '../../protocol/log-action.ts';
import {
  LOG_RECEIPT_BYTES,
  type LogReceipt,
  parseLogReceipt,
  signLogReceipt,
  verifyLogReceipt,
} from '../../protocol/log-receipt.ts';
import { logSigners, ORIGIN } from '../fixtures/log.ts';
import { flipped, patched, refuses, sameBytes, seed } from '../fixtures/protocol.ts';

const signer = logSigners(engine, 'one')['ml-dsa-44'];
const receipt: LogReceipt = {
  originHash: engine.sha256(utf8(ORIGIN)),
  transferId: seed('transfer').subarray(0, 16),
  index: 258,
  leafHash: seed('leaf'),
  timeMs: 1_700_000_000_000,
  mode: 'best-effort',
  withinSeconds: 60,
};
const bytes = signLogReceipt(engine, signer, receipt);
const verify = (value: Uint8Array, origin = ORIGIN, key = signer.publicKey) =>
  verifyLogReceipt(engine, value, origin, key);

t.test('the layout, and a signature that another program can check', async (t) => {
  t.equal(bytes.length, LOG_RECEIPT_BYTES);
  const expected = Buffer.concat([
    Buffer.from('GPL1'),
    createHash('sha256').update(ORIGIN).digest(),
    receipt.transferId,
    Buffer.from('0000000000000102', 'hex'),
    receipt.leafHash,
    Buffer.from('0000018bcfe56800', 'hex'),
    Buffer.of(2),
    Buffer.of(0, 60),
  ]);
  sameBytes(t, bytes.subarray(0, 103), expected);
  const digest = createHash('sha256').update('ghostpipe/log-receipt/v1').update(expected).digest();
  t.ok(ml_dsa44.verify(bytes.subarray(103), digest, signer.publicKey, { context: utf8('ghostpipe/log-receipt/v1') }));
});

t.test('a log receipt comes back as it was', async (t) => {
  for (const mode of AUDIT_MODES) {
    const parsed = verify(signLogReceipt(engine, signer, { ...receipt, mode }));
    t.equal(parsed.mode, mode);
    t.equal(parsed.index, 258);
    t.equal(parsed.timeMs, receipt.timeMs);
    t.equal(parsed.withinSeconds, 60);
    sameBytes(t, parsed.transferId, receipt.transferId);
    sameBytes(t, parsed.leafHash, receipt.leafHash);
    sameBytes(t, parsed.originHash, receipt.originHash);
  }
});

t.test('what is none, or is not believed', async (t) => {
  const refused = (what: string, action: () => unknown) => refuses(t, 'log-receipt-invalid', action, what);
  refused('nothing', () => parseLogReceipt(new Uint8Array(0)));
  refused('one byte less', () => parseLogReceipt(bytes.subarray(1)));
  refused('one byte more', () => parseLogReceipt(Uint8Array.of(...bytes, 0)));
  refused('another start', () => parseLogReceipt(flipped(bytes, 0)));
  refused('an index above 2^53', () => parseLogReceipt(patched(bytes, 52, 255)));
  refused('an unknown mode', () => parseLogReceipt(patched(bytes, 100, 4)));
  for (const at of [36, 59, 60, 99, 102, 103, LOG_RECEIPT_BYTES - 1]) {
    refused(`byte ${at}`, () => verify(flipped(bytes, at, 1)));
  }
  refused('another log', () => verify(bytes, 'other'));
  refused('another key', () => verify(bytes, ORIGIN, logSigners(engine, 'two')['ml-dsa-44'].publicKey));
});
