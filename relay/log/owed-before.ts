/** Which log receipts an earlier process may have given shortly before its end, as its records say: proofs are owed still. */
import { type LogEvent, parseLogRecord } from '../../protocol/log-record.ts';
import { asProblem } from '../../protocol/problem.ts';
import { TILE_WIDTH } from '../../protocol/tile.ts';
import type { EpochView } from './log-view.ts';
import { readRecords, shownSize } from './read.ts';

/** From head to head: what the newest one is the first to cover was still being proved. */
const HEAD_MS = 30_000;
/** Most records that are read: more than a minute of a relay at its limit has. */
const MAX_RECORDS = 16 * TILE_WIDTH;

/** The leaf of a block that the device `did` handed in, or was given. */
export interface OwedBefore {
  readonly to: 'sender' | 'reader';
  readonly did: string;
  readonly transferId: string;
  readonly index: number;
}

/** Those of a closed epoch, oldest first; without what it keeps no more. */
export function owedBefore(epoch: EpochView): OwedBefore[] {
  const leaves = new Map<string, number>();
  return lastRecords(epoch).flatMap(({ act, obj, i, src: { id: did } }): OwedBefore[] => {
    if (act !== 'transfer.accepted' && act !== 'transfer.release') return [];
    const { x: transferId } = obj as { readonly x: string };
    if (act === 'transfer.accepted') leaves.set(transferId, i);
    const index = leaves.get(transferId);
    const to = act === 'transfer.accepted' ? 'sender' : 'reader';
    return index === undefined ? [] : [{ to, did, transferId, index }];
  });
}

/** The records since shortly before the newest head. */
function lastRecords(epoch: EpochView): LogEvent[] {
  const sinceMs = (epoch.heads.at(-1)?.seconds ?? 0) * 1000 - HEAD_MS;
  const size = shownSize(epoch);
  const records: LogEvent[] = [];
  try {
    for (let end = size; end > 0 && records.length < MAX_RECORDS; ) {
      const from = Math.max(0, end - TILE_WIDTH);
      const piece = readRecords(epoch, from, end - from).map(parseLogRecord);
      records.unshift(...piece);
      if (piece[0]!.t < sinceMs) break;
      end = from;
    }
  } catch (thrown) {
    if (asProblem(thrown).code !== 'not-available') throw thrown;
  }
  return records.filter(({ t }) => t >= sinceMs);
}
