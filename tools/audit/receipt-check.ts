/** Checks log receipts that somebody kept: each is by the key of an epoch, and the log has the leaf that it promised. */
import { join } from 'node:path';
import { equalBytes, utf8 } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { type LogEvidence, parseLogEvidence, verifyLogEvidence } from '../../protocol/log-evidence.ts';
import { LOG_RECEIPT_BYTES, type LogReceipt, parseLogReceipt, verifyLogReceipt } from '../../protocol/log-receipt.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { readPlainFile } from '../lib/files.ts';
import { entriesOf, requireFolder } from './epoch-folder.ts';
import { readEntry } from './epoch-tiles.ts';
import type { Findings } from './findings.ts';
import type { SignedEpoch } from './signed-epoch.ts';

/** What the clients keep beside their receipts: statements, and proofs that the relay gave. */
const BESIDE = /\.(log-epoch|log-proof)$/;
/** Receipts in one file, one after the other. */
const MAX_RECEIPTS = 65_536;

export interface ReceiptCounts {
  /** Whose leaf is in a verified tree. */
  held: number;
  /** Of an epoch that is not here, or whose leaf no head had to cover yet. */
  open: number;
}

/** An epoch and how many of its leaves were checked. */
export interface CheckedEpoch {
  readonly epoch: SignedEpoch;
  readonly leaves: number;
}

/**
 * Checks all files of a folder: evidence as `--log-receipts` of the clients keeps it (`.log-receipt`), or bare receipts,
 * one or more, under any other name.
 */
export function checkReceipts(
  engine: Engine,
  folder: string,
  epochs: readonly CheckedEpoch[],
  findings: Findings,
): ReceiptCounts {
  requireFolder(folder);
  const byHash = new Map(epochs.map((each) => [toHex(engine.sha256(utf8(each.epoch.origin))), each]));
  const counts: ReceiptCounts = { held: 0, open: 0 };
  for (const { name } of entriesOf(folder)) {
    if (BESIDE.test(name)) continue;
    const file = `receipts/${name}`;
    for (const { receipt, evidence } of findings.attempt(file, () => receiptsIn(folder, name)) ?? []) {
      const isHeld = findings.attempt(file, () => holds(engine, receipt, evidence, byHash));
      if (isHeld === undefined) continue;
      if (isHeld) counts.held += 1;
      else counts.open += 1;
    }
  }
  return counts;
}

interface Kept {
  readonly receipt: Uint8Array;
  readonly evidence: LogEvidence | null;
}

/** The receipts in a file, which nobody vouches for; bare ones stand one after the other. */
function receiptsIn(folder: string, name: string): Kept[] {
  const bytes = readPlainFile(join(folder, name), LOG_RECEIPT_BYTES * MAX_RECEIPTS) ?? new Uint8Array(0);
  if (name.endsWith('.log-receipt')) {
    const evidence = parseLogEvidence(bytes);
    return [{ receipt: evidence.receipt, evidence }];
  }
  // Nothing is a receipt too, and none that holds.
  const count = Math.max(1, Math.ceil(bytes.length / LOG_RECEIPT_BYTES));
  return Array.from({ length: count }, (_, i) => {
    return { receipt: bytes.subarray(i * LOG_RECEIPT_BYTES, (i + 1) * LOG_RECEIPT_BYTES), evidence: null };
  });
}

/** True when the leaf is there, false when it need not be; refuses what proves that the relay lied, and what is none. */
function holds(
  engine: Engine,
  bytes: Uint8Array,
  evidence: LogEvidence | null,
  epochs: ReadonlyMap<string, CheckedEpoch>,
): boolean {
  const { originHash } = parseLogReceipt(bytes);
  const checked = epochs.get(toHex(originHash));
  if (!checked) return false;
  const { origin, keys, heads } = checked.epoch;
  const receipt = verifyLogReceipt(engine, bytes, origin, keys['ml-dsa-44']);
  if (evidence) verifyLogEvidence(engine, evidence, origin, keys);
  if (receipt.index < checked.leaves) {
    requireLeaf(engine, receipt, checked);
    return true;
  }
  const newest = heads.at(-1);
  if (newest && newest.size <= receipt.index && newest.seconds * 1000 > receipt.timeMs + receipt.withinSeconds * 1000) {
    const detail = `leaf ${receipt.index} was promised within ${receipt.withinSeconds} s of ${receipt.timeMs}`;
    throw new Problem('proof-invalid', `${detail}; the head of second ${newest.seconds} has ${newest.size} leaves`);
  }
  return false;
}

function requireLeaf(engine: Engine, receipt: LogReceipt, { epoch, leaves }: CheckedEpoch): void {
  const { index, leafHash: promised, timeMs } = receipt;
  const entry = readEntry(epoch.folder, index, leaves);
  const { obj, t } = parseLogRecord(entry);
  const transfer = toHex(receipt.transferId);
  if (!equalBytes(leafHash(engine, entry), promised) || !('x' in obj) || obj.x !== transfer || t !== timeMs) {
    throw new Problem('proof-invalid', `leaf ${index} of ${epoch.origin} is not what was promised to ${transfer}`);
  }
}
