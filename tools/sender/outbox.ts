/**
 * The outbox: every record that the sender answers for, from the moment the spool took it until a receiver's signed
 * receipt lets it go.
 *
 *     waiting -> sent (in one block) -> released
 *        ^          |  refused, lost with the relay, or not confirmed within its time to live
 *        +----------+
 *
 * It keeps numbers, not records: those are read from the spool when they are packed, so memory does not grow with the
 * backlog. The relay's word moves nothing out of here. With `once` nothing waits a second time: what a block held is
 * out of the spool before the block is sealed.
 */
import { type DataRecord, recordBytes } from '../../protocol/payload.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { type Range, RangeSet } from '../../protocol/ranges.ts';
import type { DeliveryReceipt } from '../../protocol/receipt.ts';
import { type Batch, type ChunkRecord, rangesOf } from './batch.ts';
import { Confirmations, isForGood, toldBy } from './confirmations.ts';
import type { OpenFile, OpenFiles } from './open-files.ts';
import type { Placed, Spool } from './spool.ts';
import { spanOf } from './spool-entry.ts';

const EVERYTHING = Number.MAX_SAFE_INTEGER;

interface SentBlock {
  readonly type: Batch['type'];
  readonly ranges: readonly Range[];
  /** Relay run that accepted it; null until it did. */
  epoch: string | null;
  /** Monotonic ms after which it counts as lost; it does not while it is not accepted. */
  deadlineMs: number;
}

export interface OutboxOptions {
  readonly spool: Spool;
  readonly files: OpenFiles;
  /** How many receivers must confirm a record before it is let go. */
  readonly views: number;
  /** Records are packed at most once. */
  readonly once: boolean;
  readonly onProblem: (problem: Problem) => void;
}

/** Records by what became of them, since the start of this process. */
export interface OutboxCounters {
  /** Released on delivery receipts. */
  delivered: number;
  /** Refused by a receiver for good. */
  refused: number;
  /** Let go to make room, or because they cannot be sent. */
  dropped: number;
  /** Sent once, never confirmed. */
  unconfirmed: number;
}

export class Outbox {
  readonly counters: OutboxCounters = { delivered: 0, refused: 0, dropped: 0, unconfirmed: 0 };
  readonly #options: OutboxOptions;
  /** Numbers that are neither released nor given up. */
  readonly #open: RangeSet;
  /** Numbers that stand in no block now: of readings, and of chunks. */
  readonly #waiting = { records: new RangeSet(), fileChunk: new RangeSet() };
  readonly #sent = new Map<number, SentBlock>();
  readonly #confirmations: Confirmations;
  #liveFrom: number;
  /** The last block held readings: a chunk's turn. */
  #chunkIsNext = false;

  constructor(options: OutboxOptions) {
    const { spool, files } = options;
    this.#options = options;
    this.#confirmations = new Confirmations(options.views);
    this.#open = spool.open();
    this.#liveFrom = spool.next;
    for (const { first, count } of this.#open.ranges()) this.#waiting.records.add(first, count);
    for (const { first, entry } of files.all) {
      this.#waiting.records.remove(first, entry.count);
      for (const open of this.#open.within(first, entry.count)) this.#waiting.fileChunk.add(open.first, open.count);
    }
  }

  /** Sequence number that the next record will get. */
  get nextSeq(): number {
    return this.#options.spool.next;
  }

  /** Records not released yet, those that are not written yet among them. */
  get size(): number {
    return this.#open.size + this.#options.spool.pending.count;
  }

  /** Wall time of the oldest reading not released yet; null when there is none. */
  get oldestMs(): number | null {
    const readings = new RangeSet(this.#open.ranges());
    for (const { first, entry } of this.#options.files.all) readings.remove(first, entry.count);
    const [oldest] = readings.ranges();
    const entry = oldest && this.#options.spool.at(oldest.first)?.entry;
    return entry?.kind === 'record' ? entry.wallTimeMs : null;
  }

  /** Numbers that stand in a block on its way. */
  get inFlight(): RangeSet {
    return new RangeSet([...this.#sent.values()].flatMap(({ ranges }) => ranges));
  }

  /** The spool took an entry: its records wait. */
  add({ first, entry }: Placed): void {
    const count = spanOf(entry);
    this.#open.add(first, count);
    this.#waiting[entry.kind === 'file' ? 'fileChunk' : 'records'].add(first, count);
    if (entry.kind === 'file') this.#options.files.add(first, entry);
  }

  /** The spool let these go to make room. */
  drop(ranges: readonly Range[]): void {
    this.#giveUp(ranges, 'dropped');
  }

  /**
   * Chooses what the next block carries in at most `room` bytes: what came since the last one first, then the oldest
   * of the backlog. Chunks go alone; where readings and chunks wait, they take turns.
   */
  nextBatch(room: number): Batch {
    const readingsWait = this.#waiting.records.size > 0;
    const chunk = this.#chunkIsNext || !readingsWait ? this.#nextChunk(room) : null;
    this.#chunkIsNext = !chunk;
    if (chunk) return { type: 'fileChunk', record: chunk };
    const records = this.#nextRecords(room);
    this.#liveFrom = this.nextSeq;
    if (records.length > 0) return { type: 'records', records };
    const late = this.#nextChunk(room);
    return late ? { type: 'fileChunk', record: late } : { type: 'idle' };
  }

  /**
   * Gives the batch the number of the block that it goes into, durable when it returns; with `once` the spool has
   * forgotten it by then. Refuses `spool-failed`; everything still waits then.
   */
  take(batch: Batch): number {
    const { spool, once } = this.#options;
    const ranges = rangesOf(batch);
    if (once) for (const { first, count } of ranges) spool.release(first, count);
    let blockSeq: number;
    try {
      blockSeq = spool.nextBlock();
    } catch (thrown) {
      if (once) for (const { first, count } of ranges) spool.reopen(first, count);
      throw thrown;
    }
    if (batch.type === 'idle') return blockSeq;
    for (const { first, count } of ranges) this.#waiting[batch.type].remove(first, count);
    this.#sent.set(blockSeq, { type: batch.type, ranges, epoch: null, deadlineMs: Number.POSITIVE_INFINITY });
    return blockSeq;
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

  /** The relay will not take the block, or lost it: its records wait again, or are given up with `once`. */
  packAnew(blockSeq: number): void {
    const block = this.#sent.get(blockSeq);
    if (!block || block.type === 'idle') return;
    this.#sent.delete(blockSeq);
    if (this.#options.once) this.#end(block.ranges, 'unconfirmed');
    for (const range of block.ranges) {
      for (const open of this.#open.within(range.first, range.count))
        this.#waiting[block.type].add(open.first, open.count);
    }
  }

  /** Packs anew every block that was not confirmed in time. */
  packExpired(nowMs: number): void {
    for (const [blockSeq, { deadlineMs }] of this.#sent) if (deadlineMs <= nowMs) this.packAnew(blockSeq);
  }

  /**
   * Applies a verified receipt of this run: releases what enough receivers committed, packs anew what was rejected.
   * Refuses `spool-older` for one that speaks of records that were never given out.
   */
  confirm(receipt: DeliveryReceipt): void {
    const { end } = toldBy(receipt);
    if (end > this.nextSeq) {
      const fact = `a receiver has record ${end - 1} of this run, the spool gave out ${this.nextSeq}`;
      throw new Problem('spool-older', `${fact}: it is older than what was sent from it`);
    }
    const [forGood, forNow] = [receipt.rejects.filter(isForGood), receipt.rejects.filter((each) => !isForGood(each))];
    const refused = forGood.flatMap(({ blockSeq }) => this.#sent.get(blockSeq)?.ranges ?? []);
    const over = this.#confirmations.note(receipt, refused, this.#open.ranges()[0]?.first ?? this.nextSeq);
    this.#giveUp(over.committed.ranges(), 'delivered');
    this.#end(over.refused.ranges(), 'refused');
    for (const { blockSeq } of forNow) this.packAnew(blockSeq);
    this.#forgetDelivered();
  }

  /** Makes durable what was released, closes files that are delivered, and frees the disk. Refuses `spool-failed`. */
  settle(): void {
    const { files, spool } = this.#options;
    const done = files.all.filter(({ first, entry }) => this.#open.within(first, entry.count).length === 0);
    if (done.length > 0) spool.save();
    for (const file of done) files.deliver(file);
    spool.collect();
  }

  #nextRecords(room: number): DataRecord[] {
    const waiting = this.#waiting.records;
    const live = waiting.within(this.#liveFrom, EVERYTHING - this.#liveFrom);
    const chosen: DataRecord[] = [];
    let left = room;
    for (const { first, count } of [...live, ...waiting.within(0, this.#liveFrom)]) {
      for (let seq = first; seq < first + count; seq++) {
        const record = this.#record(seq, room);
        if (!record) continue;
        left -= recordBytes(record);
        if (left < 0) return chosen.sort((a, b) => a.seq - b.seq);
        chosen.push(record);
      }
    }
    return chosen.sort((a, b) => a.seq - b.seq);
  }

  /** A waiting reading; null, and it waits no more, when damage took it or no block can hold it. */
  #record(seq: number, room: number): DataRecord | null {
    const entry = this.#options.spool.at(seq)?.entry;
    const record = entry?.kind === 'record' ? { seq, wallTimeMs: entry.wallTimeMs, bytes: entry.bytes } : null;
    if (record && recordBytes(record) <= room) return record;
    if (record) {
      const fact = `a reading of ${record.bytes.length} bytes does not fit a block of this route any more`;
      this.#options.onProblem(new Problem('payload-invalid', `${fact}, which takes ${room} bytes`));
      this.#giveUp([{ first: seq, count: 1 }], 'dropped');
    } else {
      this.#open.remove(seq, 1);
      this.#waiting.records.remove(seq, 1);
    }
    return null;
  }

  /** The oldest waiting chunk; a file that cannot be read is given up, and the next one is asked. */
  #nextChunk(room: number): ChunkRecord | null {
    const { files } = this.#options;
    for (const file of files.all) {
      const { first, entry } = file;
      const [next] = this.#waiting.fileChunk.within(first, entry.count);
      if (!next) continue;
      try {
        return files.read(file, next.first - first, room);
      } catch (thrown) {
        this.#giveUp([{ first, count: entry.count }], 'dropped');
        files.fail(file, asProblem(thrown));
      }
    }
    return null;
  }

  /** Blocks of which nothing is held any more need no deadline. */
  #forgetDelivered(): void {
    for (const [blockSeq, { ranges }] of this.#sent) {
      if (ranges.every(({ first, count }) => this.#open.within(first, count).length === 0)) this.#sent.delete(blockSeq);
    }
  }

  /**
   * These records are over, refused for good or sent once and not confirmed: sending them again would never end, or must
   * not be. A file of which a chunk is over is over as a whole.
   */
  #end(ranges: readonly Range[], why: 'refused' | 'unconfirmed'): void {
    const { files } = this.#options;
    const open = ranges.flatMap(({ first, count }) => this.#open.within(first, count));
    for (const file of files.all.filter((each) => open.some((range) => overlaps(range, each)))) {
      this.#giveUp([{ first: file.first, count: file.entry.count }], why);
      files.quarantine(file, why === 'refused' ? 'was refused by a receiver' : 'was not confirmed');
    }
    this.#giveUp(ranges, why);
  }

  /** What of these records is open is over; `why` counts them. */
  #giveUp(ranges: readonly Range[], why: keyof OutboxCounters): void {
    for (const range of ranges) {
      for (const { first, count } of this.#open.within(range.first, range.count)) {
        this.counters[why] += count;
        this.#open.remove(first, count);
        this.#waiting.records.remove(first, count);
        this.#waiting.fileChunk.remove(first, count);
        this.#options.spool.release(first, count);
      }
    }
  }
}

function overlaps({ first, count }: Range, file: OpenFile): boolean {
  return first < file.first + file.entry.count && file.first < first + count;
}
