/**
 * The signer: the only holder of the log's keys. It signs a head only when it continues the last one that it signed,
 * with time that advances; once asked for anything else it signs nothing more of that epoch.
 *
 * `LogSigner` does the work; signer-thread.ts keeps it in a thread of its own.
 */
import { type LogKeys, type LogSigners, signCheckpoint } from '../../protocol/checkpoint.ts';
import { type Engine, SEED_BYTES, type SingleKey } from '../../protocol/engine/engine.ts';
import { type EpochEvent, signEpoch } from '../../protocol/epoch.ts';
import { signCommit } from '../../protocol/journal-segment.ts';
import { type LogReceipt, signLogReceipt } from '../../protocol/log-receipt.ts';
import { verifyConsistency } from '../../protocol/merkle.ts';
import { Problem } from '../../protocol/problem.ts';

/** A head to be signed, with the proof from the head that was signed before in this epoch. */
export interface HeadRequest {
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
  /** POSIX seconds, above those of the head before. */
  readonly seconds: number;
  /** Empty for the first head of an epoch. */
  readonly proof: readonly Uint8Array[];
}

export interface OpenedEpoch {
  readonly statement: Uint8Array;
  readonly keys: LogKeys;
}

/** What the sequencer needs of a signer, wherever it runs. */
export interface Signer {
  /** Makes the keys of a new epoch and its statement. Answers at once: nothing may be recorded in between. */
  open(event: EpochEvent): OpenedEpoch;
  /** The whole checkpoint; refuses `proof-invalid`, for ever after the first time. */
  head(request: HeadRequest): Promise<Uint8Array>;
  /** A log receipt by the epoch's key; refuses `log-epoch-invalid` when the epoch is not open here. */
  receipt(origin: string, receipt: LogReceipt): Promise<Uint8Array>;
  /** Both signatures of a commit in the epoch's journal on the stick; refuses as `receipt`. */
  commit(origin: string, below: number, chain: Uint8Array): Promise<Uint8Array>;
  /** Forgets the keys of an epoch, after what was asked before. */
  end(origin: string): void;
  /** Why it answers no more; null while it does. */
  readonly ended: Problem | null;
  /** Begins anew if it ended by itself, with no key of any epoch; refuses what keeps it from that. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

interface Epoch {
  readonly signers: LogSigners;
  size: number;
  root: Uint8Array;
  seconds: number;
  /** Why it signs no head any more. */
  fault: Problem | null;
}

export class LogSigner implements Signer {
  readonly #engine: Engine;
  readonly #logKey: SingleKey;
  readonly #epochs = new Map<string, Epoch>();

  /** `logSeed`, 32 bytes, may be wiped afterwards. */
  constructor(engine: Engine, logSeed: Uint8Array) {
    this.#engine = engine;
    this.#logKey = engine.singleKey('ml-dsa-65', logSeed);
  }

  open(event: EpochEvent): OpenedEpoch {
    const signers = {
      'ml-dsa-65': this.#logKey,
      'ml-dsa-44': this.#newKey('ml-dsa-44'),
      ed25519: this.#newKey('ed25519'),
    };
    const statement = signEpoch(this.#engine, signers, event);
    const root = this.#engine.sha256();
    this.#epochs.set(event.obj.origin, { signers, size: 0, root, seconds: 0, fault: null });
    const keys = {
      'ml-dsa-65': this.#logKey.publicKey,
      'ml-dsa-44': signers['ml-dsa-44'].publicKey,
      ed25519: signers.ed25519.publicKey,
    };
    return { statement, keys };
  }

  async head({ origin, size, root, seconds, proof }: HeadRequest): Promise<Uint8Array> {
    const epoch = this.#epoch(origin);
    if (epoch.fault) throw epoch.fault;
    try {
      verifyConsistency(this.#engine, proof, epoch.size, epoch.root, size, root);
      if (seconds <= epoch.seconds) {
        throw new Problem('proof-invalid', `a head of second ${seconds} does not follow one of ${epoch.seconds}`);
      }
    } catch (thrown) {
      epoch.fault = thrown as Problem;
      throw thrown;
    }
    Object.assign(epoch, { size, root: new Uint8Array(root), seconds });
    return signCheckpoint(this.#engine, { origin, size, root }, seconds, epoch.signers);
  }

  async receipt(origin: string, receipt: LogReceipt): Promise<Uint8Array> {
    return signLogReceipt(this.#engine, this.#epoch(origin).signers['ml-dsa-44'], receipt);
  }

  async commit(origin: string, below: number, chain: Uint8Array): Promise<Uint8Array> {
    return signCommit(this.#engine, this.#epoch(origin).signers, below, chain);
  }

  end(origin: string): void {
    this.#epochs.delete(origin);
  }

  readonly ended = null;

  async restart(): Promise<void> {} // it ends with its process

  async close(): Promise<void> {
    this.#epochs.clear();
  }

  #epoch(origin: string): Epoch {
    const epoch = this.#epochs.get(origin);
    if (!epoch) throw new Problem('log-epoch-invalid', `the epoch ${origin} is not open`);
    return epoch;
  }

  #newKey(algorithm: 'ml-dsa-44' | 'ed25519'): SingleKey {
    const seed = this.#engine.random(SEED_BYTES);
    const key = this.#engine.singleKey(algorithm, seed);
    seed.fill(0);
    return key;
  }
}
