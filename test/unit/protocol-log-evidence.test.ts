/** What a client keeps of a transfer: its file, and when it counts. */
import t from 'tap';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import {
  formatLogEvidence,
  type LogEvidence,
  MAX_LOG_EVIDENCE_BYTES,
  parseLogEvidence,
  verifyLogEvidence,
} from '../../protocol/log-evidence.ts';
import { type LogReceipt, signLogReceipt } from '../../protocol/log-receipt.ts';
import { blockCommitment, encodeLogRecord, type LogEvent } from '../../protocol/log-record.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { toHex } from '../../protocol/text.ts';
import { logKeys, logSigners, ORIGIN, recordFields } from '../fixtures/log.ts';
import { refuses, seed } from '../fixtures/protocol.ts';

type Accepted = Extract<LogEvent, { act: 'transfer.accepted' }>;

const signers = logSigners(engine, 'evidence');
const keys = logKeys(signers);
const [blockSha256, salt] = [seed('block'), seed('salt')];
const transferId = seed('transfer').subarray(0, 16);
const DEVICE = { id: `did:paramant:z${'Q'.repeat(45)}`, k: 'device' } as const;

function evidence(changes: { receipt?: Partial<LogReceipt>; obj?: Partial<Accepted['obj']> } = {}): LogEvidence {
  const c = blockCommitment(engine, salt, blockSha256);
  const obj = { c, route: '0'.repeat(32), views: 1, x: toHex(transferId), ...changes.obj };
  const event: Accepted = { ...recordFields(5), act: 'transfer.accepted', obj, res: 'success', src: DEVICE };
  return signed(encodeLogRecord(event), { timeMs: event.t, ...changes.receipt });
}

function signed(record: Uint8Array, changes: Partial<LogReceipt>): LogEvidence {
  const receipt = signLogReceipt(engine, signers['ml-dsa-44'], {
    originHash: engine.sha256(Buffer.from(ORIGIN)),
    transferId,
    index: 5,
    leafHash: leafHash(engine, record),
    timeMs: 0,
    mode: 'best-effort',
    withinSeconds: 60,
    ...changes,
  });
  return { blockSha256, receipt, record, salt };
}

t.test('a file gives back what it was made of', async (t) => {
  const kept = evidence();
  const file = formatLogEvidence(kept);
  t.ok(file.length < MAX_LOG_EVIDENCE_BYTES);
  t.same(parseLogEvidence(file), kept);
  const written = JSON.parse(Buffer.from(file).toString());
  const parse = (changes: object) => () => parseLogEvidence(canonicalBytes({ ...written, ...changes }));
  refuses(t, 'schema-invalid', parse({ v: 2 }));
  refuses(t, 'schema-invalid', parse({ more: 1 }));
  refuses(t, 'schema-invalid', parse({ salt: 'AA' }));
  refuses(t, 'schema-invalid', parse({ record: 'A'.repeat(3000) }));
  refuses(t, 'json-invalid', () => parseLogEvidence(new Uint8Array(MAX_LOG_EVIDENCE_BYTES + 1)));
  refuses(t, 'json-not-canonical', () => parseLogEvidence(Buffer.from(JSON.stringify(written, null, 1))));
});

t.test('evidence counts when receipt, record and block belong together', async (t) => {
  const { receipt, event } = verifyLogEvidence(engine, evidence(), ORIGIN, keys);
  t.match(receipt, { index: 5, withinSeconds: 60 });
  t.match(event, { src: DEVICE, obj: { x: toHex(transferId) } });

  const refused = (what: string, kept: LogEvidence, origin = ORIGIN) =>
    refuses(t, 'log-receipt-invalid', () => verifyLogEvidence(engine, kept, origin, keys), what);
  refused('another origin', evidence(), `${ORIGIN}0`);
  refused('a promise that takes too long', evidence({ receipt: { withinSeconds: 61 } }));
  refused('another leaf', evidence({ receipt: { leafHash: seed('leaf') } }));
  refused('another transfer in the record', evidence({ obj: { x: 'ab'.repeat(16) } }));
  refused('another index', evidence({ receipt: { index: 6 } }));
  refused('another time', evidence({ receipt: { timeMs: 6 } }));
  refused('another block', { ...evidence(), blockSha256: seed('other block') });
  refused('another salt', { ...evidence(), salt: seed('other salt') });
  const fields = { ...recordFields(5), res: 'success', src: { id: 'relay-1', k: 'relay' } } as const;
  const adopted = encodeLogRecord({ ...fields, act: 'transfer.adopted', obj: { x: toHex(transferId) } });
  refused('another action', signed(adopted, {}));
});
