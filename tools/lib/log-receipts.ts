/**
 * Holds the relay to its log receipts: each is verified when it comes, and when its time is up the relay has to show a
 * signed head that has the record. What is wrong is named and counted; no record of the client depends on any of it.
 *
 * `look` asks the relay for at most one statement and one proof, so a client that takes one receipt a slot and looks once
 * a slot keeps up, in the same rhythm whatever it sends.
 */
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { formatLogEvidence, type LogEvidence, verifyLogEvidence } from '../../protocol/log-evidence.ts';
import { type LogReceipt, parseLogReceipt } from '../../protocol/log-receipt.ts';
import { verifyInclusion } from '../../protocol/merkle.ts';
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { parseTailProof, verifyTailProof } from '../../protocol/tail-proof.ts';
import { toHex } from '../../protocol/text.ts';
import { parseTlogProof } from '../../protocol/tlog-proof.ts';
import { type LogEpoch, LogEpochs } from './log-epochs.ts';
import type { LogReceiptFiles } from './log-receipt-files.ts';
import type { RelayClient } from './relay-client.ts';

/** Most receipts that wait for their time. */
const MAX_WAITING = 1024;
/** Most blocks whose receipt may still come: as many as a relay owes. */
const MAX_UNSIGNED = 64;
/** Several times before the first receipt is due. */
const ASK_AGAIN_MS = 15_000;
/** The relay could not be asked, which says nothing of what it would show. */
const NO_ANSWER: readonly ProblemCode[] = ['relay-unreachable', 'pin-mismatch', 'tls-group'];

export interface LogReceiptsOptions {
  readonly engine: Engine;
  readonly relay: Pick<RelayClient, 'logEpoch' | 'logProof' | 'logTail'>;
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
  /** Those of which the relay showed neither when their time was up. */
  logReceiptsUnproved: number;
  /** Those of which it showed a signed head that does not have the record. */
  logReceiptsContradicted: number;
}

/** A receipt whose time is not up. */
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
  /** When a statement that the relay did not give is asked for again. */
  #askAgainMs = Number.NEGATIVE_INFINITY;

  constructor(options: LogReceiptsOptions) {
    this.#options = options;
    this.#epochs = new LogEpochs(options);
  }

  /** Takes what the relay said beside a block that it took or gave, by the hash of the block. */
  take(items: readonly ControlItem[], blockSha256: () => Uint8Array): void {
    const about = itemOf(items, 'accepted') ?? itemOf(items, 'lease');
    if (!about) return;
    const id = toHex(about.transferId);
    const [record, salt] = [itemOf(items, 'logRecord'), itemOf(items, 'commitSalt')];
    if (record && salt) {
      this.#unsigned.set(id, { blockSha256: blockSha256(), record: record.bytes, salt: salt.salt });
      if (this.#unsigned.size > MAX_UNSIGNED) this.#unsigned.delete(this.#unsigned.keys().next().value!);
    }
    for (const item of items) if (item.type === 'logReceipt') this.#guarded(() => this.#takeReceipt(item.bytes, id));
    // Beside a repeated block none is due: the relay may be another process by now. A reader may get an adopted one.
    const isOwed = about.type === 'accepted' && !about.repeated;
    if (isOwed && (this.#unsigned.has(id) || !record || !salt)) this.#missing();
  }

  /** Asks the relay for what is missing and due: at most a statement and a proof. Never throws. */
  async look(): Promise<void> {
    const stranger = this.#waiting.find(({ evidence }) => evidence !== null);
    if (stranger && this.#options.now() >= this.#askAgainMs) await this.#meet(stranger.receipt.originHash);
    const [oldest] = this.#waiting;
    if (oldest && oldest.dueMs <= this.#options.now()) await this.#demand(oldest);
  }

  /** A receipt may come with a later answer than its block, when it could not be signed before. */
  #takeReceipt(bytes: Uint8Array, about: string): void {
    const receipt = parseLogReceipt(bytes);
    const id = toHex(receipt.transferId);
    const rest = this.#unsigned.get(id);
    if (!rest) {
      if (id === about) return; // without its record it is as good as none
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
  async #meet(originHash: Uint8Array): Promise<void> {
    const proof = await this.#options.relay.logEpoch(originHash).catch((thrown) => {
      const problem = asProblem(thrown);
      if (problem.code !== 'not-available') this.#options.onProblem(problem);
    });
    if (!proof) {
      this.#askAgainMs = this.#options.now() + ASK_AGAIN_MS;
      return;
    }
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

  /** The time of a receipt is up: a head must have its leaf, or the next epoch must know of it. */
  async #demand(waiting: Waiting): Promise<void> {
    const { receipt } = waiting;
    const epoch = this.#epochs.known(receipt.originHash);
    if (!epoch) {
      this.#forget(waiting);
      this.#unproved(waiting, 'the relay does not show its epoch');
      return;
    }
    try {
      if (await this.#isProved(receipt, epoch)) this.counters.logReceiptsProved += 1;
      else this.#unproved(waiting, `no head of ${epoch.origin} has leaf ${receipt.index}`);
    } catch (thrown) {
      const problem = asProblem(thrown);
      this.#options.onProblem(problem);
      if (NO_ANSWER.includes(problem.code)) return; // it is asked again
      if (problem.code !== 'log-receipt-contradicted') this.#unproved(waiting, 'the relay gave no proof that holds');
    }
    this.#forget(waiting);
  }

  /** Whether the relay shows that the log has the leaf; false when it has nothing to show. */
  async #isProved(receipt: LogReceipt, { origin, keys }: LogEpoch): Promise<boolean> {
    const { engine, relay, logPin } = this.#options;
    const { originHash, index, leafHash, timeMs, withinSeconds } = receipt;
    const text = await orNothing(relay.logProof(origin, index));
    if (text) {
      const { checkpoint, hashes } = parseTlogProof(text);
      const { head, seconds } = verifyCheckpoint(engine, checkpoint, origin, keys);
      if (head.size <= index && seconds * 1000 <= timeMs + withinSeconds * 1000) return false;
      this.#compare(receipt, text, () => verifyInclusion(engine, hashes, index, leafHash, head.size, head.root));
      return true;
    }
    const tail = await orNothing(relay.logTail(originHash, index));
    if (!tail) return false;
    const proof = { ...parseTailProof(tail), origin, proves: { index } };
    this.#compare(receipt, tail, () => verifyTailProof(engine, proof, leafHash, logPin()));
    return true;
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

async function orNothing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (thrown) {
    if (asProblem(thrown).code === 'not-available') return undefined;
    throw thrown;
  }
}
