/** What one block carries. */
import type { FileGroup } from '../../protocol/frame.ts';
import type { DataRecord } from '../../protocol/payload.ts';
import type { Range } from '../../protocol/ranges.ts';

/** A chunk of a file, read and ready to be packed; it takes one record number. */
export interface ChunkRecord {
  readonly seq: number;
  readonly group: FileGroup;
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** What the next block is to carry. */
export type Batch =
  | { readonly type: 'idle' }
  | { readonly type: 'records'; readonly records: readonly DataRecord[] }
  | { readonly type: 'fileChunk'; readonly record: ChunkRecord };

/** The record numbers of a batch, ascending. */
export function rangesOf(batch: Batch): readonly Range[] {
  if (batch.type === 'idle') return [];
  if (batch.type === 'fileChunk') return [{ first: batch.record.seq, count: 1 }];
  const ranges: { first: number; count: number }[] = [];
  for (const { seq } of batch.records) {
    const last = ranges.at(-1);
    if (last && last.first + last.count === seq) last.count += 1;
    else ranges.push({ first: seq, count: 1 });
  }
  return ranges;
}
