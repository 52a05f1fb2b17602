/** The machine protocol of QEMU (QMP) over a stream: commands one after the other, and the events between them. */
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';

const ANSWER_MS = 20_000;

/** A line of QMP: the greeting, an answer, or an event. */
interface Message {
  readonly QMP?: unknown;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
  readonly event?: string;
}

export class Qmp {
  readonly #stream: Duplex;
  readonly #events: string[] = [];
  /** One command at a time; the next one waits for this. */
  #last: Promise<unknown> = Promise.resolve();
  #answer: ((message: Message) => void) | undefined;
  #closed = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    const lines = createInterface({ input: stream });
    for (const each of [stream, lines]) each.on('error', () => {}); // the guest ended: `close` says so
    lines.on('line', (line) => this.#take(JSON.parse(line) as Message));
    stream.once('close', () => {
      this.#closed = true;
      this.#answer?.({ error: { class: 'Closed', desc: 'QEMU ended' } });
    });
    this.#last = this.execute('qmp_capabilities').catch(() => {}); // a guest that never started says so by its end
  }

  /** Names of the events until now, as `SHUTDOWN` or `DEVICE_DELETED`. */
  get events(): readonly string[] {
    return this.#events;
  }

  /** Gives what the command returns; rejects when QEMU refuses it, ends, or does not answer within 20 s. */
  execute(command: string, words: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const result = this.#last.then(() => this.#ask(command, words));
    this.#last = result.catch(() => {});
    return result;
  }

  #ask(command: string, words: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.#closed) return Promise.reject(new Error(`QEMU ended before ${command}`));
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`QEMU did not answer ${command}`)), ANSWER_MS);
      this.#answer = ({ return: value, error }) => {
        clearTimeout(limit);
        this.#answer = undefined;
        if (error) reject(new Error(`QEMU refused ${command}: ${error.desc}`));
        else resolve(value);
      };
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: words })}\n`);
    });
  }

  #take(message: Message): void {
    if (message.event !== undefined) this.#events.push(message.event);
    else if (message.QMP === undefined) this.#answer?.(message);
  }
}
