/** Checks of the audit log, by what an auditor was given of it and the pin of its key. */
import { parseAddCheckpoint, verifyAddCheckpoint } from '../../../protocol/add-checkpoint.ts';
import { type VerifiedCheckpoint, verifyCheckpoint } from '../../../protocol/checkpoint.ts';
import { nativeEngine as engine } from '../../../protocol/engine/native.ts';
import { verifyEpoch } from '../../../protocol/epoch.ts';
import { GrowingTree } from '../../../protocol/growing-tree.ts';
import { parseLogRecord } from '../../../protocol/log-record.ts';
import { leafHash } from '../../../protocol/merkle.ts';
import { asProblem } from '../../../protocol/problem.ts';
import { toHex } from '../../../protocol/text.ts';
import type { LogCheck, See } from '../check.ts';
import type { LogCopy } from '../scene/log-copy.ts';

const RHYTHM_SECONDS = 31;

export const LOG_CHECKS: readonly LogCheck[] = [
  {
    id: 'log-verifies',
    layer: 'log',
    readsExport: true,
    look({ copy }, see) {
      const { keys } = verifyEpoch(engine, copy.statement, copy.logPin);
      see('heads', copy.heads.length, 2, 'at-least');
      const heads = verified(copy, see);
      const roots = new Map([[0, toHex(engine.sha256())]]);
      const tree = new GrowingTree(engine);
      for (const record of copy.records) {
        tree.append(leafHash(engine, record));
        roots.set(tree.size, toHex(tree.root()));
      }
      see('records', copy.records.length, heads.at(-1)?.head.size ?? -1);
      see('heads with another root', heads.filter(({ head }) => roots.get(head.size) !== toHex(head.root)).length, 0);
      see(
        'the statement is the first record',
        Buffer.from(copy.records[0]!).equals(copy.statement) ? 'yes' : 'no',
        'yes',
      );
      const { growth, origin } = copy;
      if (growth === null) return;
      see(
        'growth',
        outcome(() => verifyAddCheckpoint(engine, parseAddCheckpoint(growth), heads[0]!.head.root, origin, keys)),
        'verified',
      );
    },
    sabotages: {
      'changed-record': {
        log: (copy) => ({ ...copy, records: copy.records.map((record, i) => (i === 1 ? flipped(record) : record)) }),
      },
      'dropped-record': { log: (copy) => ({ ...copy, records: copy.records.filter((_, i) => i !== 1) }) },
      'other-key': {
        log: (copy) => ({
          ...copy,
          heads: copy.heads.map(({ size, checkpoint }) => ({ size, checkpoint: otherSignature(checkpoint) })),
        }),
      },
    },
  },
  {
    id: 'log-covers-transfers',
    layer: 'log',
    look({ copy, transferId }, see) {
      const acts = eventsOf(copy)
        .filter(({ obj }) => (obj as { x?: string }).x === transferId)
        .map(({ act }) => act);
      for (const act of ['transfer.accepted', 'transfer.release', 'transfer.delivered'] as const) {
        see(`records of ${act}`, acts.filter((each) => each === act).length, 1);
      }
    },
    sabotages: {
      'no-delivery': {
        mutations: [
          {
            file: 'relay/log/audit.ts',
            find: "case 'acked':",
            replace: "case 'acked':\n        break;\n      case 'expired':",
          },
        ],
      },
    },
  },
  {
    id: 'log-rhythm',
    layer: 'log',
    readsExport: true,
    look({ copy }, see) {
      const seconds = verified(copy, see).map((head) => head.seconds);
      see('heads', seconds.length, 2, 'at-least');
      const gaps = seconds.slice(1).map((second, i) => second - seconds[i]!);
      see('longest time between two heads', Math.max(0, ...gaps), RHYTHM_SECONDS, 'at-most', 's');
      const age = Math.floor(copy.copiedMs / 1000) - (seconds.at(-1) ?? 0);
      see('age of the newest head', age, RHYTHM_SECONDS, 'at-most', 's');
    },
    sabotages: {
      stopped: { log: (copy) => ({ ...copy, copiedMs: copy.copiedMs + 60_000 }) },
      slow: { mutations: [{ file: 'relay/log/sequencer.ts', find: 'HEAD_MS = 30_000', replace: 'HEAD_MS = 34_000' }] },
    },
  },
  {
    id: 'log-times',
    layer: 'log',
    look({ copy }, see) {
      const events = eventsOf(copy);
      see('records with a time', events.filter(({ t }) => t > 0).length, events.length);
      see('records that vouch for their time', events.filter(({ tq }) => tq !== 'none').length, 0);
      const back = events.slice(1).filter(({ up }, i) => up < events[i]!.up);
      see('records whose count went back', back.length, 0);
    },
    sabotages: {
      'went-back': { log: (copy) => rewritten(copy, /"up":\d+/, '"up":0') },
      'no-quality': { log: (copy) => rewritten(copy, '"tq":"none"', '"tq":"ntp"') },
    },
  },
  {
    id: 'log-no-payload',
    layer: 'log',
    look({ copy, secrets }, see) {
      const texts = copy.records.map((record) => Buffer.from(record).toString('latin1'));
      see('records', texts.length, 2, 'at-least');
      for (const [name, secret] of Object.entries(secrets)) {
        see(`records with ${name}`, texts.filter((text) => text.includes(secret)).length, 0);
      }
    },
    sabotages: {
      hash: {
        mutations: [
          {
            file: 'relay/log/audit.ts',
            find: 'blockCommitment(engine, salt, fromHex(hash, 32))',
            replace: "Buffer.from(hash, 'hex').toString('base64url')",
          },
        ],
      },
    },
  },
];

/** The heads that verify; how many do not is an observation. */
function verified(copy: LogCopy, see: See): VerifiedCheckpoint[] {
  const { keys } = verifyEpoch(engine, copy.statement, copy.logPin);
  const heads: VerifiedCheckpoint[] = [];
  for (const { checkpoint } of copy.heads) {
    try {
      heads.push(verifyCheckpoint(engine, checkpoint, copy.origin, keys));
    } catch {
      // counted below
    }
  }
  see('heads that do not verify', copy.heads.length - heads.length, 0);
  return heads;
}

function eventsOf({ records }: LogCopy) {
  return records.map((record) => parseLogRecord(record));
}

function outcome(act: () => unknown): string {
  try {
    act();
    return 'verified';
  } catch (thrown) {
    return asProblem(thrown).code;
  }
}

/** The copy with a text of its last record changed. */
function rewritten(copy: LogCopy, find: string | RegExp, replace: string): LogCopy {
  const last = Buffer.from(copy.records.at(-1)!).toString('latin1').replace(find, replace);
  return { ...copy, records: [...copy.records.slice(0, -1), Buffer.from(last, 'latin1')] };
}

function flipped(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[copy.length - 3]! ^= 1;
  return copy;
}

/** The note with another character in the middle of its first signature. */
function otherSignature(checkpoint: Uint8Array): Uint8Array {
  const [text, signatures] = Buffer.from(checkpoint).toString('utf8').split('\n\n') as [string, string];
  const at = 500;
  const other = signatures[at] === 'A' ? 'B' : 'A';
  return Buffer.from(`${text}\n\n${signatures.slice(0, at)}${other}${signatures.slice(at + 1)}`);
}
