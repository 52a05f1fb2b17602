/**
 * Appending to the audit log against the bare SHA-256 of the same tree: every leaf and every node once. Appending is all
 * that is done to a record's bytes: tree, index, compression, check of what was compressed, journal in memory.
 */
import { nativeEngine as engine } from '../protocol/engine/native.ts';
import { encodeLogRecord, type LogEvent } from '../protocol/log-record.ts';
import { leafHash, nodeHash } from '../protocol/merkle.ts';
import { toBase64Url } from '../protocol/text.ts';
import { EpochTree } from '../relay/log/epoch-tree.ts';
import { Journal } from '../relay/log/journal.ts';
import { writeAt } from '../relay/store/slot-file.ts';
import { median } from './figures.ts';
import { drafts } from './log-records.ts';

/** Whole bundles, so that each turn pays for what it adds. */
const TURN_RECORDS = 40 * 256;

export interface AppendTimes {
  /** Microseconds of processor time for each record, medians. */
  readonly appendMicros: number;
  readonly bareMicros: number;
}

/** Times both in turn, `turns` times, so that drift of the machine meets both; the journal is in `folder`. */
export function timeAppend(folder: string, turns: number): AppendTimes {
  const journal = new Journal({ folder, number: 1, write: writeAt });
  const tree = new EpochTree(engine, journal.bundles);
  const times = { append: [] as number[], bare: [] as number[] };
  const source = drafts();
  for (let turn = -1; turn < turns; turn++) {
    const records = Array.from({ length: TURN_RECORDS }, (_, i) => recordOf(source, tree.size + i));
    const append = cpuMicrosOf(() => {
      for (const { bytes, transferId } of records) {
        tree.append(bytes, transferId);
        journal.follow(tree);
      }
    });
    const leaf = leafHash(engine, records[0]!.bytes);
    const bare = cpuMicrosOf(() => {
      for (const { bytes } of records) leafHash(engine, bytes);
      for (let i = 1; i < records.length; i++) nodeHash(engine, leaf, leaf);
    });
    if (turn < 0) continue; // warms up
    times.append.push(append / TURN_RECORDS);
    times.bare.push(bare / TURN_RECORDS);
  }
  journal.remove();
  return { appendMicros: median(times.append), bareMicros: median(times.bare) };
}

function recordOf(source: ReturnType<typeof drafts>, i: number): { bytes: Uint8Array; transferId: string } {
  const draft = source.next().value;
  const common = { i: i + 1, n: toBase64Url(engine.random(16)), t: Date.now(), tq: 'none', up: i } as const;
  return { bytes: encodeLogRecord({ ...draft, ...common } as LogEvent), transferId: (draft.obj as { x: string }).x };
}

function cpuMicrosOf(action: () => void): number {
  const before = process.cpuUsage();
  action();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}
