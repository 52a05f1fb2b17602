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
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { MAX_RECEIPT_REJECTS } from '../../protocol/receipt.ts';
import { type RejectCode, rejectCodeOf } from '../../protocol/reject.ts';
import { routeOf, sendersTo } from '../../protocol/roster.ts';
import { streamId } from '../../protocol/stream.ts';
import { toHex } from '../../protocol/text.ts';
import type { Device } from '../lib/device.ts';
import type { Directory } from '../lib/directory.ts';
import type { Membership } from '../lib/membership.ts';
import type { Notices } from '../lib/notices.ts';
import { Continuity, type ContinuityCounters } from './continuity.ts';
import { receiptItem } from './delivery-note.ts';
import type { Quarantine } from './quarantine.ts';
import type { Silence } from './silence.ts';
import { type Sink, SinkRefusal } from './sink.ts';
import { Strangers } from './strangers.ts';
import type { RunMark, StreamMarks } from './stream-marks.ts';

export interface IntakeOptions {
  readonly engine: Engine;
  /** This device as it is enrolled at the moment. */
  readonly device: () => Device;
  readonly directory: Directory;
  readonly membership: Pick<Membership, 'renewals'>;
  readonly marks: StreamMarks;
  readonly sink: Sink;
  readonly quarantine: Quarantine;
  readonly notices: Notices;
  readonly silence: Pick<Silence, 'heard'>;
  /** Wall time in ms, for serial numbers of receipts. */
  readonly wallMs: () => number;
  /** Waits before a sink is tried again; false when there is no more time. */
  readonly waitForSink: () => Promise<boolean>;
}

export interface IntakeCounters {
  blocks: number;
  idleBlocks: number;
  records: number;
  /** Records that were packed into a second block after they had come. */
  repeatedRecords: number;
  files: number;
  rejects: number;
}

/** What may keep a block from being opened now, while another try may do it. */
const NOT_OF_THE_BLOCK: readonly ProblemCode[] = [
  'internal',
  'state-failed',
  'relay-unreachable',
  'pin-mismatch',
  'tls-group',
];

/** A lease as the relay gave it. */
export type Lease = Extract<ControlItem, { type: 'lease' }>;

/** What a block says of its sender before anything of it is believed. */
interface Claimed {
  sender?: Uint8Array;
  isStrange?: boolean;
}

/** A block that will never be committed, and why. */
interface Refusal {
  readonly code: RejectCode;
  readonly why: string;
}

export class Intake {
  readonly #options: IntakeOptions;
  readonly #continuity: Continuity;
  readonly #strangers: Strangers;
  readonly #counters: IntakeCounters = {
    blocks: 0,
    idleBlocks: 0,
    records: 0,
    repeatedRecords: 0,
    files: 0,
    rejects: 0,
  };

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#continuity = new Continuity(options.notices);
    this.#strangers = new Strangers(options.directory, options.membership);
  }

  get counters(): Readonly<IntakeCounters & ContinuityCounters> {
    return { ...this.#counters, ...this.#continuity.counters };
  }

  /** Judges blocks of unknown senders, of which nothing was said yet, if there is news of senders. */
  async takeAgain(): Promise<ControlItem[]> {
    const said: ControlItem[] = [];
    for (const { block, lease } of this.#strangers.takeBack()) said.push(...(await this.take(block, lease)));
    return said;
  }

  /** Takes one leased block and gives what to tell the relay: an ack with a receipt, a reject, or nothing yet. */
  async take(block: Uint8Array, lease: Lease): Promise<ControlItem[]> {
    if (this.#strangers.holds(lease)) return [];
    const claimed: Claimed = {};
    let opened: OpenedBlock;
    try {
      opened = this.#open(block, lease, claimed);
    } catch (thrown) {
      if (claimed.isStrange && this.#strangers.putOff(claimed.sender!, { block, lease })) return [];
      return this.#cannotOpen(asProblem(thrown), block, lease, claimed.sender);
    }
    const { frame } = opened;
    const sender = this.#sender(opened);
    const mark = this.#options.marks.of(frame.senderDigest, frame.streamId);
    const standing = mark.standing(frame);
    if (standing === 'replay') {
      this.#continuity.replay(sender);
      return this.#reject(lease, 'replay');
    }
    if (standing === 'new-run') this.#continuity.newRun(sender, frame, mark);
    const run = mark.runMark(frame.run);
    const outcome = await this.#commit(opened, run); // of a duplicate too: only records that are new reach the sink
    if (outcome === 'later') return [];
    if (outcome !== 'committed') this.#keepEvidence(outcome, block, lease, frame.senderDigest);
    const idle = outcome === 'committed' && frame.type === 'idle' ? parseIdle(opened.plain) : null;
    if (standing === 'duplicate') {
      this.#continuity.duplicate(sender);
    } else {
      this.#options.silence.heard(sender, idle);
      this.#note(outcome, opened, run);
    }
    if (!this.#isShared(opened, parseHeader(block).views)) {
      this.#continuity.look(sender, frame, run, idle);
    }
    const { engine, device, wallMs } = this.#options;
    const receipt = receiptItem(engine, device(), frame, mark, run, wallMs());
    mark.save();
    if (outcome !== 'committed') return [...this.#reject(lease, outcome.code), receipt];
    return [{ type: 'ack', transferId: lease.transferId, ackSecret: opened.ackSecret }, receipt];
  }

  /**
   * Opens a copy of the block, since opening overwrites it. `claimed` gets the sender that the block names, and whether
   * it is known.
   */
  #open(block: Uint8Array, lease: Lease, claimed: Claimed): OpenedBlock {
    const { engine, device, directory } = this.#options;
    if (!equalBytes(engine.sha256(block), lease.blockSha256)) {
      throw new Problem('hash-mismatch', 'the block is not the one that the relay leased');
    }
    const reader = {
      kemKey: device().kemKey,
      senderKeys: (digest: Uint8Array) => {
        const keys = directory.verifyingKeys(digest, 'send');
        claimed.sender = new Uint8Array(digest);
        claimed.isStrange = keys === undefined;
        return keys;
      },
    };
    return openBlock(engine, new Uint8Array(block), reader);
  }

  /** Puts the data where it belongs; a refusal when it never will be there, `later` when time ran out. */
  async #commit(opened: OpenedBlock, run: RunMark): Promise<'committed' | 'later' | Refusal> {
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
        return { code: problem ? rejectCodeOf(problem) : 'sink-refused', why: (thrown as Error).message };
      }
    }
  }

  async #commitOnce(opened: OpenedBlock, run: RunMark): Promise<void> {
    const { frame, plain } = opened;
    switch (frame.type) {
      case 'idle':
        parseIdle(plain);
        this.#counters.idleBlocks += 1;
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
        if (whole) this.#counters.files += 1;
        return;
      }
      default:
        throw new Problem('type-unsupported', `type ${frame.type} is not for this receiver`);
    }
  }

  async #commitRecords(opened: OpenedBlock, run: RunMark, all: readonly DataRecord[]): Promise<void> {
    const { frame } = opened;
    const records = all.filter(({ seq }) => !run.records.has(seq));
    const committed =
      records.length === 0
        ? 0
        : await this.#options.sink.commitRecords({
            sender: this.#sender(opened),
            did: didOf(frame.senderDigest),
            streamId: frame.streamId,
            run: frame.run,
            timeQuality: frame.timeQuality,
            records,
          });
    for (const { seq } of records) run.records.add(seq, 1);
    this.#counters.records += committed;
    this.#counters.repeatedRecords += all.length - committed;
  }

  /** Writes down what became of a new block, in the run's mark and in the counters. */
  #note(outcome: 'committed' | Refusal, { frame: { blockSeq } }: OpenedBlock, run: RunMark): void {
    if (outcome !== 'committed') {
      run.rejects.push({ blockSeq, code: outcome.code });
      run.rejects.splice(0, run.rejects.length - MAX_RECEIPT_REJECTS);
    }
    run.blocks.add(blockSeq, 1);
    this.#counters.blocks += 1;
  }

  #cannotOpen(problem: Problem, block: Uint8Array, lease: Lease, sender: Uint8Array | undefined): ControlItem[] {
    if (NOT_OF_THE_BLOCK.includes(problem.code)) throw problem;
    if (problem.code === 'hash-mismatch') {
      this.#options.notices.problem(problem);
      return []; // damaged on the way: the lease ends and the relay gives it again
    }
    const refusal = { code: rejectCodeOf(problem), why: `${problem.detail} [${problem.code}]` };
    this.#keepEvidence(refusal, block, lease, sender);
    return this.#reject(lease, refusal.code);
  }

  /** Says that a block is refused, and keeps what an operator needs to find out why. */
  #keepEvidence({ code, why }: Refusal, block: Uint8Array, lease: Lease, sender: Uint8Array | undefined): void {
    const { directory, notices, quarantine } = this.#options;
    const from = sender && (directory.member(sender)?.name ?? didOf(sender));
    notices.report(`rejected ${code} ${from}`, `a block ${from ? `of ${from} ` : ''}was rejected as ${code}: ${why}`);
    quarantine.put(
      {
        transferId: toHex(lease.transferId),
        code,
        detail: why,
        sender: sender ? didOf(sender) : null,
        blockSha256: toHex(lease.blockSha256),
      },
      block,
    );
  }

  #reject({ transferId }: Lease, code: RejectCode): ControlItem[] {
    this.#counters.rejects += 1;
    return [{ type: 'reject', transferId, code }];
  }

  #sender(opened: OpenedBlock): string {
    return this.#options.directory.member(opened.frame.senderDigest)?.name ?? 'a former member';
  }

  /** Whether other readers may take blocks of this stream instead of this one, so that holes mean nothing. */
  #isShared({ frame }: OpenedBlock, views: number): boolean {
    const { directory } = this.#options;
    const device = this.#options.device();
    if (equalBytes(frame.streamId, streamId(frame.senderDigest, [device.digest]))) return false;
    const sender = didOf(frame.senderDigest);
    const routed = sendersTo(directory.roster, device.name).find(({ did }) => did === sender);
    return !routed || views < routeOf(directory.roster, routed.name).recipients.length;
  }
}
