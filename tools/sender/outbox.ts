/**
 * The outbox: every record that the sender answers for, from the moment it was taken in until a receiver's signed
 * receipt lets it go.
 *
 *     waiting -> sent (in one block) -> released
 *        ^          |  refused, lost with the relay, or not confirmed within its time to live
 *        +----------+
 *
 * The relay's word moves nothing out of here. One outbox belongs to one run of one stream.
 */
import { type DataRecord, recordBytes } from '../../protocol/payload.ts';
import { RangeSet } from '../../protocol/ranges.ts';
import type { DeliveryReceipt } from '../../protocol/receipt.ts';
import { toHex } from '../../protocol/text.ts';

/** A part of a file that takes one sequence number; its bytes are read when it is packed. */
export interface ChunkRecord {
  readonly seq: number;
  readonly chunk: FilePart;
}

/** Where a chunk's bytes come from and where they belong. */
export interface FilePart {
  readonly name: string;
  readonly groupId: Uint8Array;
  readonly index: number;
  readonly count: number;
  readonly wholeSha256: Uint8Array;
  load(): Uint8Array;
}

type Entry = DataRecord | ChunkRecord;

/** What the bookkeeping of one record costs, so that many tiny ones are bounded too. */
const ENTRY_OVERHEAD_BYTES = 256;

/** What the next block is to carry. */
export type Batch =
  | { readonly type: 'idle' }
  | { readonly type: 'records'; readonly records: readonly DataRecord[] }
  | { readonly type: 'fileChunk'; readonly record: ChunkRecord };

interface SentBlock {
  readonly seqs: readonly number[];
  /** Relay run that accepted it; null until it did. */
  epoch: string | null;
  /** Monotonic ms after which it counts as lost; it does not while it is not accepted. */
  deadlineMs: number;
}

export interface OutboxOptions {
  /** Most bytes of records held at a time; above it the source has to wait. */
  readonly maxBytes: number;
  /** How many receivers must confirm a record before it is let go. */
  readonly views: number;
}

export class Outbox {
  readonly #options: OutboxOptions;
  /** All records not released yet, by sequence number, ascending. */
  readonly #entries = new Map<number, Entry>();
  /** Sequence numbers of entries that stand in no block now. */
  #waiting = new Set<number>();
  readonly #sent = new Map<number, SentBlock>();
  /** What each receiver has committed, by hex of its DID digest. */
  readonly #committed = new Map<string, RangeSet>();
  #nextSeq = 0;
  #liveFrom = 0;
  #bytes = 0;
  #released = 0;
  #refused = 0;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Sequence number that the next record will get. */
  get nextSeq(): number {
    return this.#nextSeq;
  }

  /** Records not released yet. */
  get size(): number {
    return this.#entries.size;
  }

  get released(): number {
    return this.#released;
  }

  /** Records that a receiver refused for good. */
  get refused(): number {
    return this.#refused;
  }

  get full(): boolean {
    return this.#bytes >= this.#options.maxBytes;
  }

  /** Wall time of the oldest reading not released yet; null when there is none. */
  get oldestMs(): number | null {
    for (const entry of this.#entries.values()) if ('wallTimeMs' in entry) return entry.wallTimeMs;
    return null;
  }

  /** Takes in a reading. */
  addRecord(bytes: Uint8Array, wallTimeMs: number): void {
    this.#add({ seq: this.#nextSeq, wallTimeMs, bytes });
  }

  /** Takes in a part of a file. */
  addChunk(chunk: FilePart): void {
    this.#add({ seq: this.#nextSeq, chunk });
  }

  /**
   * Chooses what the next block carries in at most `room` bytes: what came since the last one first, then the oldest
   * of the backlog.
   */
  nextBatch(room: number): Batch {
    const chosen = this.#choose(room);
    this.#liveFrom = this.#nextSeq;
    const [first] = chosen;
    if (!first) return { type: 'idle' };
    if ('chunk' in first) return { type: 'fileChunk', record: first };
    return { type: 'records', records: (chosen as DataRecord[]).sort((a, b) => a.seq - b.seq) };
  }

  /** The batch was sealed into block `blockSeq`. */
  markSent(blockSeq: number, batch: Batch): void {
    const seqs = batchSeqs(batch);
    for (const seq of seqs) this.#waiting.delete(seq);
    if (seqs.length > 0) this.#sent.set(blockSeq, { seqs, epoch: null, deadlineMs: Number.POSITIVE_INFINITY });
  }

  /**
   * The relay run `epoch` took the block; unless confirmed by `deadlineMs` it will be packed anew. Whatever an earlier
   * run of the relay held is gone with it.
   */
  markAccepted(blockSeq: number, epoch: string, deadlineMs: number): void {
    const block = this.#sent.get(blockSeq);
    if (block) Object.assign(block, { epoch, deadlineMs });
    for (const [seq, sent] of this.#sent) if (sent.epoch !== null && sent.epoch !== epoch) this.packAnew(seq);
  }

  /** The relay will not take the block, or lost it: its records wait again. */
  packAnew(blockSeq: number): void {
    const block = this.#sent.get(blockSeq);
    if (!block) return;
    this.#sent.delete(blockSeq);
    for (const seq of block.seqs) if (this.#entries.has(seq)) this.#waiting.add(seq);
    this.#waiting = new Set([...this.#waiting].sort((a, b) => a - b));
  }

  /** Packs anew every block that was not confirmed in time. */
  packExpired(nowMs: number): void {
    for (const [blockSeq, { deadlineMs }] of this.#sent) if (deadlineMs <= nowMs) this.packAnew(blockSeq);
  }

  /** Applies a verified receipt of this run: releases what enough receivers committed, packs anew what was rejected. */
  confirm(receipt: DeliveryReceipt): void {
    const receiver = toHex(receipt.receiverDigest);
    const committed = this.#committed.get(receiver) ?? new RangeSet();
    this.#committed.set(receiver, committed);
    committed.add(0, receipt.nextRecord);
    for (const { first, count } of receipt.ranges) committed.add(first, count);
    for (const seq of [...this.#entries.keys()]) if (this.#isConfirmed(seq)) this.#release(seq);
    for (const { blockSeq, code } of receipt.rejects) {
      if (code === 'sink-refused' || code === 'unsupported') this.#refuse(blockSeq);
      else this.packAnew(blockSeq);
    }
    this.#forgetDelivered();
  }

  #add(entry: Entry): void {
    this.#entries.set(entry.seq, entry);
    this.#waiting.add(entry.seq);
    this.#bytes += entryBytes(entry);
    this.#nextSeq += 1;
  }

  #choose(room: number): Entry[] {
    const waiting = [...this.#waiting];
    const live = waiting.filter((seq) => seq >= this.#liveFrom);
    const backlog = waiting.filter((seq) => seq < this.#liveFrom);
    const chosen: Entry[] = [];
    let left = room;
    for (const seq of [...live, ...backlog]) {
      const entry = this.#entries.get(seq)!;
      if ('chunk' in entry) return chosen.length === 0 ? [entry] : chosen;
      left -= recordBytes(entry);
      if (left < 0) break;
      chosen.push(entry);
    }
    return chosen;
  }

  /** Blocks of which nothing is held any more need no deadline. */
  #forgetDelivered(): void {
    for (const [blockSeq, { seqs }] of this.#sent) {
      if (!seqs.some((seq) => this.#entries.has(seq))) this.#sent.delete(blockSeq);
    }
  }

  #isConfirmed(seq: number): boolean {
    let receivers = 0;
    for (const committed of this.#committed.values()) if (committed.has(seq)) receivers += 1;
    return receivers >= this.#options.views;
  }

  #release(seq: number): void {
    this.#drop(seq);
    this.#released += 1;
  }

  /** A receiver said for good that it will not take the block: sending it again would never end. */
  #refuse(blockSeq: number): void {
    const block = this.#sent.get(blockSeq);
    this.#sent.delete(blockSeq);
    for (const seq of block?.seqs ?? []) {
      if (!this.#entries.has(seq)) continue;
      this.#drop(seq);
      this.#refused += 1;
    }
  }

  #drop(seq: number): void {
    this.#bytes -= entryBytes(this.#entries.get(seq)!);
    this.#entries.delete(seq);
    this.#waiting.delete(seq);
  }
}

function batchSeqs(batch: Batch): number[] {
  if (batch.type === 'idle') return [];
  return batch.type === 'records' ? batch.records.map(({ seq }) => seq) : [batch.record.seq];
}

/** Memory that an entry stands for; the bytes of a chunk stay in its file. */
function entryBytes(entry: Entry): number {
  return ENTRY_OVERHEAD_BYTES + ('chunk' in entry ? 0 : entry.bytes.length);
}
