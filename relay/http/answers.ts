/** Which connections have an answer under way: nothing but the rest of it may be written to them. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

export class AnswersUnderWay {
  readonly #counts = new WeakMap<Socket, number>();

  /** Counts the answer to `request` until it is closed. */
  begin({ socket }: IncomingMessage, response: ServerResponse): void {
    this.#counts.set(socket, this.#of(socket) + 1);
    response.once('close', () => this.#counts.set(socket, this.#of(socket) - 1));
  }

  has(socket: Socket): boolean {
    return this.#of(socket) > 0;
  }

  #of(socket: Socket): number {
    return this.#counts.get(socket) ?? 0;
  }
}
