/**
 * Holds the relay to its log receipts: each is verified when it comes, and when its time is up the relay has to show a
 * signed head that has the record. What is wrong is named and counted; no record of the client depends on any of it.
 *
 * All of it comes in the control frames of the exchanges that there are anyway: nothing is ever asked for.
 */
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { formatLogEvidence, type LogEvidence, verifyLogEvidence } from '../../protocol/log-evidence.ts';
import { type LogReceipt, parseLogReceipt } from '../../protocol/log-receipt.ts';
import { verifyInclusion } from '../../protocol/merkle.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { parseTailProof, verifyTailProof } from '../../protocol/tail-proof.ts';
import { toHex } from '../../protocol/text.ts';
import { parseTlogProof } from '../../protocol/tlog-proof.ts';
import { type LogEpoch, LogEpochs } from './log-epochs.ts';
import type { LogReceiptFiles } from './log-receipt-files.ts';

/** Most receipts that wait for their time. */
const MAX_WAITING = 1024;
/** Most blocks whose receipt may still come: as many as a relay owes. */
const MAX_UNSIGNED = 64;
/**
 * Answers without the proof of the oldest receipt after its time was up: proofs come oldest first, one in each answer at
 * least, and this many may be lost or late.
 */
const PATIENCE = 16;

export interface LogReceiptsOptions {
  readonly engine: Engine;
  /** Pin of the relay's log key, by the profile of the moment. */
  readonly logPin: () => string;
  /** Where evidence is kept; null for nowhere. */
  readonly files: LogReceiptFiles | null;
  /** DID of who hands blocks in, when the client knows it: records of anybody else are refused. */
  readonly sender: string | null;
  /** Monotonic ms. */
  readonly now: () => number;
  readonly onProblem: (problem: Problem) => void;
}

export interface LogReceiptCounters {
  /** Receipts that verified. */
  logReceipts: number;
  /** Blocks that came without one. */
  logReceiptsMissing: number;
  /** Receipts that did not verify. */
  logReceiptsRefused: number;
  /** Verified ones whose record a signed head has, or the statement of the next epoch. */
  logReceiptsProved: number;
  /** Those of which the relay showed neither in time. */
  logReceiptsUnproved: number;
  /** Those of which it showed a signed head that does not have the record. */
  logReceiptsContradicted: number;
}

/** What shows a leaf: under a head, or in the tail of an epoch. */
type ProofItem = Extract<ControlItem, { readonly type: 'logProof' | 'logTail' }>;

/** A receipt that is not proved. */
interface Waiting {
  readonly receipt: LogReceipt;
  readonly dueMs: number;
  /** Until it was verified. */
  evidence: LogEvidence | null;
}

export class LogReceipts {
  readonly counters: LogReceiptCounters = {
    logReceipts: 0,
    logReceiptsMissing: 0,
    logReceiptsRefused: 0,
    logReceiptsProved: 0,
    logReceiptsUnproved: 0,
    logReceiptsContradicted: 0,
  };
  readonly #options: LogReceiptsOptions;
  readonly #epochs: LogEpochs;
  /** Records and salts of the newest blocks whose receipt has not come, by transfer. */
  readonly #unsigned = new Map<string, Omit<LogEvidence, 'receipt'>>();
  /** In the order of their coming. */
  #waiting: Waiting[] = [];
  /** Answers since the oldest one was due, or since the one before it was proved. */
  #overdue = 0;

  constructor(options: LogReceiptsOptions) {
    this.#options = options;
    this.#epochs = new LogEpochs(options);
  }

  /**
   * Takes what the relay said in an answer: beside a block that it took (`handedIn`), or beside a block or a cover that
   * it gave. Never throws.
   */
  take(items: readonly ControlItem[], handedIn?: Uint8Array): void {
    const about = handedIn ? itemOf(items, 'accepted') : itemOf(items, 'lease');
    if (about) this.#takeRecord(items, about.transferId, handedIn ?? null);
    for (const item of items) {
      if (item.type === 'logReceipt') this.#guarded(() => this.#takeReceipt(item.bytes, about?.transferId));
      else if (item.type === 'logEpoch') this.#meet(item.originHash, item.bytes);
      else if (item.type === 'logProof' || item.type === 'logTail') this.#takeProof(item);
    }
    // Beside a repeated block none is due: the relay may be another process by now. A reader may get an adopted one.
    const isOwed = about?.type === 'accepted' && !about.repeated;
    const hasEvidence = itemOf(items, 'logRecord') && itemOf(items, 'commitSalt');
    if (isOwed && (this.#unsigned.has(toHex(about.transferId)) || !hasEvidence)) this.#missing();
    this.#judgeOldest();
  }

  /** Keeps record and salt of a block until its receipt is there. */
  #takeRecord(items: readonly ControlItem[], transferId: Uint8Array, handedIn: Uint8Array | null): void {
    const [lease, record, salt] = [itemOf(items, 'lease'), itemOf(items, 'logRecord'), itemOf(items, 'commitSalt')];
    if (!record || !salt) return;
    const blockSha256 = handedIn ? this.#options.engine.sha256(handedIn) : lease!.blockSha256;
    this.#unsigned.set(toHex(transferId), { blockSha256, record: record.bytes, salt: salt.salt });
    if (this.#unsigned.size > MAX_UNSIGNED) this.#unsigned.delete(this.#unsigned.keys().next().value!);
  }

  /** A receipt may come with a later answer than its block, when it could not be signed before. */
  #takeReceipt(bytes: Uint8Array, about: Uint8Array | undefined): void {
    const receipt = parseLogReceipt(bytes);
    const id = toHex(receipt.transferId);
    const rest = this.#unsigned.get(id);
    if (!rest) {
      if (about && id === toHex(about)) return; // without its record it is as good as none
      throw new Problem('log-receipt-invalid', `the log receipt is for another transfer than it came with, ${id}`);
    }
    this.#unsigned.delete(id);
    const evidence = { ...rest, receipt: bytes };
    const waiting: Waiting = { receipt, dueMs: this.#options.now() + receipt.withinSeconds * 1000, evidence };
    const epoch = this.#epochs.known(receipt.originHash);
    if (epoch) this.#verify(waiting, epoch);
    this.#waiting.push(waiting);
    if (this.#waiting.length > MAX_WAITING) this.#unproved(this.#waiting.shift()!, 'too many wait to be proved');
  }

  #missing(): void {
    this.counters.logReceiptsMissing += 1;
    this.#options.onProblem(new Problem('log-receipt-missing', 'the relay took a block and gave no log receipt'));
  }

  /** Learns an epoch, and verifies what waits for it. A statement by another key makes all of its receipts worthless. */
  #meet(originHash: Uint8Array, proof: Uint8Array): void {
    if (this.#epochs.known(originHash)) return;
    const id = toHex(originHash);
    let epoch: LogEpoch | undefined;
    for (const waiting of this.#waiting.filter(({ receipt }) => toHex(receipt.originHash) === id)) {
      const isRefused = !this.#guarded(() => {
        epoch ??= this.#epochs.learn(originHash, proof);
        this.#verify(waiting, epoch);
      });
      if (isRefused) this.#forget(waiting);
    }
    if (epoch) this.#keep('log-epoch', originHash, epoch.statement);
  }

  #verify(waiting: Waiting, { origin, keys }: LogEpoch): void {
    const { engine, sender } = this.#options;
    const evidence = waiting.evidence!;
    const { receipt, event } = verifyLogEvidence(engine, evidence, origin, keys);
    if (sender !== null && event.src.id !== sender) {
      throw new Problem('log-receipt-invalid', `the log receipt is about a block of ${event.src.id}, not of ${sender}`);
    }
    waiting.evidence = null;
    this.counters.logReceipts += 1;
    this.#keep('log-receipt', receipt.transferId, formatLogEvidence(evidence));
  }

  /** Proofs of receipts that nobody waits for, as those of an earlier process of this device, say nothing. */
  #takeProof(item: ProofItem): void {
    const id = toHex(item.transferId);
    const waiting = this.#waiting.find(({ receipt }) => toHex(receipt.transferId) === id);
    const epoch = waiting && this.#epochs.known(waiting.receipt.originHash);
    if (!epoch) return;
    try {
      if (!this.#isProved(waiting.receipt, epoch, item)) return; // it may come yet
      this.counters.logReceiptsProved += 1;
      if (waiting === this.#waiting[0]) this.#overdue = 0;
    } catch (thrown) {
      const problem = asProblem(thrown);
      this.#options.onProblem(problem);
      if (problem.code !== 'log-receipt-contradicted') this.#unproved(waiting, 'the relay gave no proof that holds');
    }
    this.#forget(waiting);
  }

  /** Whether the proof shows that the log has the leaf; false for a head of before its time. */
  #isProved(receipt: LogReceipt, { origin, keys }: LogEpoch, { type, bytes }: ProofItem): boolean {
    const { engine, logPin } = this.#options;
    const { index, leafHash, timeMs, withinSeconds } = receipt;
    if (type === 'logTail') {
      const proof = { ...parseTailProof(bytes), origin, proves: { index } };
      this.#compare(receipt, bytes, () => verifyTailProof(engine, proof, leafHash, logPin()));
      return true;
    }
    const { checkpoint, hashes } = parseTlogProof(bytes);
    const { head, seconds } = verifyCheckpoint(engine, checkpoint, origin, keys);
    if (head.size <= index && seconds * 1000 <= timeMs + withinSeconds * 1000) return false;
    this.#compare(receipt, bytes, () => verifyInclusion(engine, hashes, index, leafHash, head.size, head.root));
    return true;
  }

  /** Names the oldest receipt when its time is up and its proof does not come. */
  #judgeOldest(): void {
    const [oldest] = this.#waiting;
    const isDue = oldest && oldest.dueMs <= this.#options.now();
    this.#overdue = isDue ? this.#overdue + 1 : 0;
    if (!isDue || this.#overdue <= PATIENCE) return;
    const epoch = this.#epochs.known(oldest.receipt.originHash);
    const fact = epoch
      ? `no head of ${epoch.origin} has leaf ${oldest.receipt.index}`
      : 'the relay does not show its epoch';
    this.#forget(oldest);
    this.#unproved(oldest, fact);
  }

  /** A signed head that does not lead to the leaf speaks against the relay, and is kept. */
  #compare({ transferId }: LogReceipt, proof: Uint8Array, verify: () => unknown): void {
    try {
      verify();
    } catch (thrown) {
      const { code, detail } = asProblem(thrown);
      if (code !== 'proof-invalid') throw thrown;
      this.counters.logReceiptsContradicted += 1;
      this.#keep('log-proof', transferId, proof);
      const fact = `the log receipt of transfer ${toHex(transferId)} is contradicted: ${detail}`;
      throw new Problem('log-receipt-contradicted', fact);
    }
  }

  /** A folder that cannot be written says so and changes nothing else. */
  #keep(...what: Parameters<LogReceiptFiles['keep']>): void {
    try {
      this.#options.files?.keep(...what);
    } catch (thrown) {
      this.#options.onProblem(asProblem(thrown));
    }
  }

  #unproved({ receipt }: Waiting, why: string): void {
    this.counters.logReceiptsUnproved += 1;
    const transfer = toHex(receipt.transferId);
    this.#options.onProblem(
      new Problem('log-receipt-unproved', `the log receipt of transfer ${transfer} is not proved: ${why}`),
    );
  }

  #forget(waiting: Waiting): void {
    this.#waiting = this.#waiting.filter((other) => other !== waiting);
  }

  /** Counts and names a receipt that is refused; false then. */
  #guarded(action: () => void): boolean {
    try {
      action();
      return true;
    } catch (thrown) {
      this.counters.logReceiptsRefused += 1;
      this.#options.onProblem(asProblem(thrown));
      return false;
    }
  }
}
