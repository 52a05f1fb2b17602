/**
 * The signer in a thread of its own, seen from the relay: no other code of the process holds a key of the log, and
 * signing keeps no request waiting. Messages are of signer-work.ts.
 */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads';
import type { EpochEvent } from '../../protocol/epoch.ts';
import type { LogReceipt } from '../../protocol/log-receipt.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import type { HeadRequest, OpenedEpoch, Signer } from './signer.ts';

/** How long opening an epoch may take; it happens at the start, and then about once in seven days. */
const OPEN_MS = 30_000;

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

interface Waiting {
  resolve(bytes: Uint8Array): void;
  reject(problem: Problem): void;
}

export class SignerThread implements Signer {
  readonly #worker: Worker;
  readonly #atOnce: MessagePort;
  readonly #signal = new Int32Array(new SharedArrayBuffer(4));
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  /** Why it answers no more. */
  #ended: Problem | null = null;

  /** Starts the thread. `logSeed`, 32 bytes, is handed over: it is empty afterwards. */
  constructor(logSeed: Uint8Array) {
    const { port1, port2 } = new MessageChannel();
    this.#atOnce = port1;
    const own = Uint8Array.from(logSeed);
    logSeed.fill(0);
    const workerData: SignerStart = { logSeed: own, atOnce: port2, signal: this.#signal };
    this.#worker = new Worker(new URL('./signer-work.ts', import.meta.url), {
      workerData,
      transferList: [port2, own.buffer],
      env: {},
    });
    this.#worker.unref();
    this.#worker.on('message', (answer: SignerAnswer<Uint8Array>) => this.#take(answer));
    this.#worker.on('error', (error) => this.#end(`the signer failed: ${error.message}`));
    this.#worker.on('exit', () => this.#end('the signer ended'));
  }

  open(event: EpochEvent): OpenedEpoch {
    Atomics.store(this.#signal, 0, 0);
    this.#post({ task: 'open', event });
    Atomics.wait(this.#signal, 0, 0, OPEN_MS);
    const answer = receiveMessageOnPort(this.#atOnce)?.message as SignerAnswer<OpenedEpoch> | undefined;
    if (!answer) throw new Problem('internal', `the signer opened no epoch within ${OPEN_MS / 1000} s`);
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

  async close(): Promise<void> {
    await this.#worker.terminate();
    this.#atOnce.close();
  }

  #ask(taskOf: (id: number) => SignerTask): Promise<Uint8Array> {
    if (this.#ended) return Promise.reject(this.#ended);
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#post(taskOf(id));
    });
  }

  #post(task: SignerTask): void {
    this.#worker.postMessage(task);
  }

  #take(answer: SignerAnswer<Uint8Array>): void {
    const waiting = this.#waiting.get(answer.id)!;
    this.#waiting.delete(answer.id);
    if ('code' in answer) waiting.reject(new Problem(answer.code, answer.detail));
    else waiting.resolve(answer.value);
  }

  #end(why: string): void {
    this.#ended ??= new Problem('internal', why);
    for (const { reject } of this.#waiting.values()) reject(this.#ended);
    this.#waiting.clear();
  }
}
