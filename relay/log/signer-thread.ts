/**
 * The signer in a thread of its own, seen from the relay: no other code of the process holds a key of the log, and
 * signing keeps no request waiting. A thread that dies, or is silent while somebody waits, is ended: what was asked is
 * refused, and `restart` begins another. Messages are of signer-work.ts.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { EpochEvent } from '../../protocol/epoch.ts';
import type { LogReceipt } from '../../protocol/log-receipt.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import type { HeadRequest, OpenedEpoch, Signer } from './signer.ts';

/** How long opening an epoch may take, the start of the thread included. */
const OPEN_MS = 30_000;
/** How long the thread may say nothing while somebody waits: well below what a receipt promises. */
const SILENT_MS = 10_000;
const PROGRAM = new URL('./signer-work.ts', import.meta.url);

/** What the relay asks; `id` is in the answer. */
export type SignerTask =
  | { readonly task: 'open'; readonly event: EpochEvent }
  | { readonly task: 'head'; readonly id: number; readonly request: HeadRequest }
  | { readonly task: 'receipt'; readonly id: number; readonly origin: string; readonly receipt: LogReceipt }
  | {
      readonly task: 'commit';
      readonly id: number;
      readonly origin: string;
      readonly below: number;
      readonly chain: Uint8Array;
    }
  | { readonly task: 'end'; readonly origin: string };

export type SignerAnswer<T> =
  | { readonly id: number; readonly value: T }
  | { readonly id: number; readonly code: ProblemCode; readonly detail: string };

/** What the thread begins with. */
export interface SignerStart {
  readonly logSeed: Uint8Array;
  /** Answers to `open` go here, after which `signal` is set and notified. */
  readonly atOnce: MessagePort;
  readonly signal: Int32Array;
}

export interface SignerThreadOptions {
  /** Gives the log seed again, 32 bytes that are wiped, for a thread that follows one that ended. */
  readonly seedAgain: () => Promise<Uint8Array>;
  readonly silentMs?: number;
  /** What runs in the thread; the signer when it is left out. */
  readonly program?: URL;
}

interface Waiting {
  resolve(bytes: Uint8Array): void;
  reject(problem: Problem): void;
}

interface Thread {
  readonly worker: Worker;
  readonly atOnce: MessagePort;
  readonly signal: Int32Array;
}

export class SignerThread implements Signer {
  readonly #options: SignerThreadOptions;
  readonly #waiting = new Map<number, Waiting>();
  #thread: Thread;
  #lastId = 0;
  /** Why it answers no more. */
  #ended: Problem | null = null;
  #silence: NodeJS.Timeout | null = null;
  /** Whether nothing was heard for half of the time. */
  #isWarned = false;
  #isClosing = false;

  /** Starts the thread. `logSeed`, 32 bytes, is handed over: it is empty afterwards. */
  constructor(logSeed: Uint8Array, options: SignerThreadOptions) {
    this.#options = options;
    this.#thread = this.#start(logSeed);
  }

  get ended(): Problem | null {
    return this.#ended;
  }

  open(event: EpochEvent): OpenedEpoch {
    if (this.#ended) throw this.#ended;
    const { atOnce, signal } = this.#thread;
    Atomics.store(signal, 0, 0);
    this.#post({ task: 'open', event });
    Atomics.wait(signal, 0, 0, OPEN_MS);
    const answer = receiveMessageOnPort(atOnce)?.message as SignerAnswer<OpenedEpoch> | undefined;
    if (!answer) {
      this.#abandon(`opened no epoch within ${OPEN_MS / 1000} s`);
      throw this.#ended!;
    }
    if ('code' in answer) throw new Problem(answer.code, answer.detail);
    return answer.value;
  }

  head(request: HeadRequest): Promise<Uint8Array> {
    return this.#ask((id) => ({ task: 'head', id, request }));
  }

  receipt(origin: string, receipt: LogReceipt): Promise<Uint8Array> {
    return this.#ask((id) => ({ task: 'receipt', id, origin, receipt }));
  }

  commit(origin: string, below: number, chain: Uint8Array): Promise<Uint8Array> {
    return this.#ask((id) => ({ task: 'commit', id, origin, below, chain }));
  }

  end(origin: string): void {
    this.#post({ task: 'end', origin });
  }

  async restart(): Promise<void> {
    if (!this.#ended) return;
    const logSeed = await this.#options.seedAgain();
    this.#ended = null;
    this.#thread = this.#start(logSeed);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#thread.worker.ref(); // the process does not end before it
    await this.#thread.worker.terminate();
    this.#thread.atOnce.close();
  }

  #start(logSeed: Uint8Array): Thread {
    const { port1, port2 } = new MessageChannel();
    const signal = new Int32Array(new SharedArrayBuffer(4));
    const own = Uint8Array.from(logSeed);
    logSeed.fill(0);
    const workerData: SignerStart = { logSeed: own, atOnce: port2, signal };
    const worker = new Worker(this.#options.program ?? PROGRAM, {
      workerData,
      transferList: [port2, own.buffer],
      env: {},
    });
    worker.unref();
    const end = (why: string) => {
      if (this.#thread.worker === worker) this.#end(why);
    };
    worker.on('message', (answer: SignerAnswer<Uint8Array>) => this.#take(answer));
    worker.on('error', (error) => end(`failed: ${error.message}`));
    worker.on('exit', () => end('ended'));
    return { worker, atOnce: port1, signal };
  }

  #ask(taskOf: (id: number) => SignerTask): Promise<Uint8Array> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#thread.worker.ref(); // the process does not end while somebody waits
      this.#post(taskOf(id));
      this.#silence ??= this.#listen();
    });
  }

  #post(task: SignerTask): void {
    this.#thread.worker.postMessage(task);
  }

  #take(answer: SignerAnswer<Uint8Array>): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    this.#heard();
    if ('code' in answer) waiting?.reject(new Problem(answer.code, answer.detail));
    else waiting?.resolve(answer.value);
  }

  #heard(): void {
    this.#isWarned = false;
    if (this.#waiting.size > 0) this.#silence?.refresh();
    else {
      if (!this.#isClosing) this.#thread.worker.unref();
      clearInterval(this.#silence ?? undefined);
      this.#silence = null;
    }
  }

  /** Ends a silent thread at the second look: before the first, this process may have been the one that stood still. */
  #listen(): NodeJS.Timeout {
    const { silentMs = SILENT_MS } = this.#options;
    return setInterval(() => {
      if (this.#isWarned) this.#abandon(`gave no answer within ${silentMs / 1000} s`);
      this.#isWarned = true;
    }, silentMs / 2).unref();
  }

  #abandon(why: string): void {
    this.#end(why);
    void this.#thread.worker.terminate();
  }

  #end(why: string): void {
    this.#ended ??= new Problem('internal', `the signer ${why}`);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
    this.#heard();
    this.#thread.atOnce.close();
  }
}
