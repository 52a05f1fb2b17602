/**
 * The way of one block through a receiver: open, judge, commit, remember, acknowledge. In this order: a block is
 * never acknowledged before its records are where they belong and its mark is durable.
 */
import { parseHeader } from '../../protocol/block.ts';
import { equalBytes } from '../../protocol/bytes.ts';
import type { ControlItem } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { type OpenedBlock, openBlock } from '../../protocol/envelope.ts';
import { didOf } from '../../protocol/identity.ts';
import { type DataRecord, parseFileChunk, parseIdle, parseRecords } from '../../protocol/payload.ts';
import { asProblem, Problem, type RejectCode, rejectCodeOf } from '../../protocol/problem.ts';
import type { Range } from '../../protocol/ranges.ts';
import { MAX_RECEIPT_RANGES, MAX_RECEIPT_REJECTS, signReceipt } from '../../protocol/receipt.ts';
import { routeOf, sendersTo } from '../../protocol/roster.ts';
import { streamId } from '../../protocol/stream.ts';
import type { Device } from '../lib/device.ts';
import type { Directory } from '../lib/directory.ts';
import type { Membership } from '../lib/membership.ts';
import type { Notices } from '../lib/notices.ts';
import { type Sink, SinkRefusal } from './sink.ts';
import type { RunMark, StreamMark, StreamMarks } from './stream-marks.ts';

export interface IntakeOptions {
  readonly engine: Engine;
  readonly device: Device;
  readonly directory: Directory;
  readonly membership: Membership;
  readonly marks: StreamMarks;
  readonly sink: Sink;
  readonly notices: Notices;
  /** Wall time in ms, for serial numbers of receipts. */
  readonly wallMs: () => number;
  /** Waits before a sink is tried again; false when there is no more time. */
  readonly waitForSink: () => Promise<boolean>;
}

export interface IntakeCounters {
  blocks: number;
  idleBlocks: number;
  records: number;
  files: number;
  duplicates: number;
  missingBlocks: number;
  rejects: number;
}

/** A lease as the relay gave it. */
export type Lease = Extract<ControlItem, { type: 'lease' }>;

export class Intake {
  readonly counters: IntakeCounters = {
    blocks: 0,
    idleBlocks: 0,
    records: 0,
    files: 0,
    duplicates: 0,
    missingBlocks: 0,
    rejects: 0,
  };
  readonly #options: IntakeOptions;
  /** Missing blocks by stream and run, as last reported. */
  readonly #missing = new Map<RunMark, number>();

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Takes one leased block and gives what to tell the relay: an ack with a receipt, a reject, or nothing yet. */
  async take(block: Uint8Array, lease: Lease): Promise<ControlItem[]> {
    let opened: OpenedBlock;
    try {
      opened = await this.#open(block, lease);
    } catch (thrown) {
      return this.#cannotOpen(asProblem(thrown), lease);
    }
    const { frame } = opened;
    const mark = this.#options.marks.of(frame.senderDigest, frame.streamId);
    const standing = mark.standing(frame);
    if (standing === 'replay') return this.#reject(lease, 'replay', `an old run of ${this.#sender(opened)} came back`);

    const run = mark.runMark(frame.run);
    const outcome = await this.#commit(opened, run); // of a duplicate too: only records that are new reach the sink
    if (outcome === 'later') return [];
    if (standing === 'duplicate') this.counters.duplicates += 1;
    else this.#note(outcome, opened, run);
    if (!this.#isShared(opened, parseHeader(block).views)) this.#reportMissing(opened, run);
    const receipt = this.#receipt(opened, mark, run);
    mark.save();
    const { transferId } = lease;
    if (outcome === 'committed') {
      return [{ type: 'ack', transferId, ackSecret: opened.ackSecret }, receipt];
    }
    return [{ type: 'reject', transferId, code: outcome }, receipt];
  }

  /** Opens the block; when its sender is a member whose keys are not known yet, asks for them once. */
  async #open(block: Uint8Array, lease: Lease): Promise<OpenedBlock> {
    const { engine, device, directory, membership } = this.#options;
    const actual = engine.sha256(block);
    if (!equalBytes(actual, lease.blockSha256)) {
      throw new Problem('hash-mismatch', 'the block is not the one that the relay leased');
    }
    let stranger: Uint8Array | undefined;
    const reader = {
      kemKey: device.kemKey,
      senderKeys: (digest: Uint8Array) => {
        const keys = directory.verifyingKeys(digest, 'send');
        if (!keys) stranger = new Uint8Array(digest);
        return keys;
      },
    };
    try {
      return openBlock(engine, new Uint8Array(block), reader); // a copy: opening overwrites its block
    } catch (thrown) {
      if (!stranger || !directory.member(stranger)) throw thrown;
      const [problem] = await membership.refreshPeers([didOf(stranger)]);
      if (problem) throw problem;
      return openBlock(engine, block, reader);
    }
  }

  /** Puts the data where it belongs; a reject code when it never will be there, `later` when time ran out. */
  async #commit(opened: OpenedBlock, run: RunMark): Promise<'committed' | 'later' | RejectCode> {
    for (;;) {
      try {
        await this.#commitOnce(opened, run);
        return 'committed';
      } catch (thrown) {
        const problem = thrown instanceof SinkRefusal ? null : asProblem(thrown);
        if (problem?.code === 'sink-failed') {
          this.#options.notices.problem(problem);
          if (await this.#options.waitForSink()) continue;
          return 'later';
        }
        this.#options.notices.say(`a block of ${this.#sender(opened)} was refused: ${(thrown as Error).message}`);
        return problem ? rejectCodeOf(problem) : 'sink-refused';
      }
    }
  }

  async #commitOnce(opened: OpenedBlock, run: RunMark): Promise<void> {
    const { frame, plain } = opened;
    switch (frame.type) {
      case 'idle':
        parseIdle(plain);
        this.counters.idleBlocks += 1;
        return;
      case 'records':
        return this.#commitRecords(opened, run, parseRecords(plain, frame.firstRecord, frame.recordCount));
      case 'fileChunk': {
        const { name, bytes } = parseFileChunk(plain);
        if (run.records.has(frame.firstRecord)) return;
        const whole = await this.#options.sink.commitChunk({
          sender: this.#sender(opened),
          group: frame.group,
          name,
          bytes,
        });
        run.records.add(frame.firstRecord, 1);
        if (whole) this.counters.files += 1;
        return;
      }
      default:
        throw new Problem('type-unsupported', `type ${frame.type} is not for this receiver`);
    }
  }

  async #commitRecords(opened: OpenedBlock, run: RunMark, all: readonly DataRecord[]): Promise<void> {
    const { frame } = opened;
    const records = all.filter(({ seq }) => !run.records.has(seq));
    this.counters.duplicates += all.length - records.length;
    if (records.length > 0) {
      await this.#options.sink.commitRecords({
        sender: this.#sender(opened),
        did: didOf(frame.senderDigest),
        streamId: frame.streamId,
        run: frame.run,
        timeQuality: frame.timeQuality,
        records,
      });
    }
    for (const { seq } of records) run.records.add(seq, 1);
    this.counters.records += records.length;
  }

  /** Writes down what became of the block, in the run's mark and in the counters. */
  #note(outcome: 'committed' | RejectCode, opened: OpenedBlock, run: RunMark): void {
    if (outcome !== 'committed') {
      this.counters.rejects += 1;
      run.rejects.push({ blockSeq: opened.frame.blockSeq, code: outcome });
      run.rejects.splice(0, run.rejects.length - MAX_RECEIPT_REJECTS);
    }
    run.blocks.add(opened.frame.blockSeq, 1);
    this.counters.blocks += 1;
  }

  #receipt(opened: OpenedBlock, mark: StreamMark, run: RunMark): ControlItem {
    const { engine, device, wallMs } = this.#options;
    const { frame } = opened;
    const nextRecord = run.records.next;
    const above = run.records.ranges().filter(({ first }) => first > nextRecord);
    const bytes = signReceipt(engine, device.signer, {
      receiverDigest: device.digest,
      senderDigest: frame.senderDigest,
      streamId: frame.streamId,
      run: run.run,
      serial: mark.nextSerial(wallMs()),
      nextRecord,
      ranges: newestWith(above, frame.firstRecord),
      rejects: run.rejects,
    });
    return { type: 'receipt', bytes };
  }

  #cannotOpen(problem: Problem, lease: Lease): ControlItem[] {
    if (problem.code === 'internal' || problem.code === 'relay-unreachable') throw problem;
    if (problem.code === 'hash-mismatch') {
      this.#options.notices.problem(problem);
      return []; // damaged on the way: the lease ends and the relay gives it again
    }
    return this.#reject(lease, rejectCodeOf(problem), `${problem.detail} [${problem.code}]`);
  }

  #reject(lease: Lease, code: RejectCode, why: string): ControlItem[] {
    this.counters.rejects += 1;
    this.#options.notices.say(`a block was rejected as ${code}: ${why}`);
    return [{ type: 'reject', transferId: lease.transferId, code }];
  }

  #sender(opened: OpenedBlock): string {
    return this.#options.directory.member(opened.frame.senderDigest)?.name ?? 'a former member';
  }

  /** Whether other readers may take blocks of this stream instead of this one, so that holes mean nothing. */
  #isShared({ frame }: OpenedBlock, views: number): boolean {
    const { device, directory } = this.#options;
    if (equalBytes(frame.streamId, streamId(frame.senderDigest, [device.digest]))) return false;
    const sender = didOf(frame.senderDigest);
    const routed = sendersTo(directory.roster, device.name).find(({ did }) => did === sender);
    return !routed || views < routeOf(directory.roster, routed.name).recipients.length;
  }

  /** Reports holes in a stream. */
  #reportMissing(opened: OpenedBlock, run: RunMark): void {
    const missing = run.blocks.gaps().reduce((sum, { count }) => sum + count, 0);
    const before = this.#missing.get(run) ?? 0;
    if (missing === before) return;
    this.#missing.set(run, missing);
    this.counters.missingBlocks += missing - before;
    this.#options.notices.say(`${missing} blocks of the stream of ${this.#sender(opened)} are missing`);
  }
}

/** The newest ranges that a receipt takes, and always the one that holds `record`: an old block is confirmed too. */
function newestWith(ranges: readonly Range[], record: number): readonly Range[] {
  const newest = ranges.slice(-MAX_RECEIPT_RANGES);
  const asked = ranges.find(({ first, count }) => first <= record && record < first + count);
  return !asked || newest.includes(asked) ? newest : [asked, ...newest.slice(1)];
}
