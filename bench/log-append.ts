/**
 * Appending to the tree of an epoch against the bare SHA-256 of the same tree, which is every leaf and every node once.
 * Appending is hashing, tiles, index, compression and the check of what was compressed; then the same with the journal,
 * which has each record before it is answered.
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

/** Microseconds of processor time for each record, medians. */
export interface AppendTimes {
  readonly bare: number;
  readonly tree: number;
  readonly journalled: number;
}

/** Times the three in turn, `turns` times, so that drift of the machine meets all; the journal is in `folder`. */
export function timeAppend(folder: string, turns: number): AppendTimes {
  const journal = new Journal({ folder, number: 1, write: writeAt });
  const [alone, written] = [new EpochTree(engine, null), new EpochTree(engine, journal.bundles)];
  const times = { bare: [] as number[], tree: [] as number[], journalled: [] as number[] };
  const source = drafts();
  for (let turn = -1; turn < turns; turn++) {
    const records = Array.from({ length: TURN_RECORDS }, (_, i) => recordOf(source, alone.size + i));
    const leaf = leafHash(engine, records[0]!.bytes);
    const actions = {
      bare() {
        for (const { bytes } of records) leafHash(engine, bytes);
        for (let i = 1; i < records.length; i++) nodeHash(engine, leaf, leaf);
      },
      tree() {
        for (const { bytes, transferId } of records) alone.append(bytes, transferId);
      },
      journalled() {
        for (const { bytes, transferId } of records) {
          written.append(bytes, transferId);
          journal.follow(written);
        }
      },
    };
    for (const [name, action] of Object.entries(actions) as [keyof typeof times, () => void][]) {
      const micros = cpuMicrosOf(action) / TURN_RECORDS;
      if (turn >= 0) times[name].push(micros);
    }
  }
  journal.remove();
  return { bare: median(times.bare), tree: median(times.tree), journalled: median(times.journalled) };
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
