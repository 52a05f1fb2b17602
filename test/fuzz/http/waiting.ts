/** Which connections to servers of this process wait for an answer to a request that is whole. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';

const STARTS = 'http.server.request.start';

export class Waiting {
  /** The last request of each connection, by the client's port. */
  readonly #last = new Map<number, { readonly request: IncomingMessage; readonly response: ServerResponse }>();
  readonly #note = (told: unknown): void => {
    const exchange = told as { readonly request: IncomingMessage; readonly response: ServerResponse };
    const { socket } = exchange.request;
    const port = socket.remotePort;
    if (port === undefined) return;
    if (!this.#last.has(port)) socket.once('close', () => this.#last.delete(port));
    this.#last.set(port, exchange);
  };

  constructor() {
    subscribe(STARTS, this.#note);
  }

  /** Whether all of a request came over the connection from `port` and its answer has not ended. */
  answerOwed(port: number | undefined): boolean {
    const { request, response } = (port !== undefined && this.#last.get(port)) || {};
    return request?.complete === true && response?.writableEnded === false;
  }

  close(): void {
    unsubscribe(STARTS, this.#note);
  }
}
