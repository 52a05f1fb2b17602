/**
 * Calls that a signature authorises and nothing else, so that any machine may carry a document here. Whose source has
 * failed too often is refused before the document is read, and again before its signature is checked.
 */
import type { IncomingMessage } from 'node:http';
import { type AnsweredCode, asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { readBody } from '../http/body.ts';
import { documentFault } from '../monitor/event-log.ts';
import type { OpenExchange } from './route.ts';

/** Documents that arrive at the same time: as many whole ones are in memory at most. */
const MAX_ARRIVING = 16;

/** Receives the documents of some calls. */
export class SignedCall {
  readonly #conduit: Conduit;
  /** Codes of refusals whose cause is told: they come after the signature held, or say what anybody may ask for. */
  readonly #told: readonly ProblemCode[];
  readonly #arriving = new Set<IncomingMessage>();

  constructor(conduit: Conduit, told: readonly AnsweredCode[]) {
    this.#conduit = conduit;
    this.#told = told;
  }

  /** Reads a document of at most `limit` bytes and gives what `apply` makes of it. */
  async handle(
    { request, refuseSpent }: OpenExchange,
    limit: number,
    apply: (bytes: Uint8Array) => object,
  ): Promise<object> {
    try {
      refuseSpent();
      const bytes = await this.#receive(request.raw, limit);
      refuseSpent();
      return apply(bytes);
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (this.#told.includes(problem.code)) throw problem;
      throw new Problem('not-available', `document refused: ${documentFault(problem)}`);
    }
  }

  /** Reads while the request is among those that arrive. The oldest goes when there are too many: no slow one keeps others out. */
  async #receive(request: IncomingMessage, limit: number): Promise<Uint8Array> {
    this.#arriving.add(request);
    const [oldest] = this.#arriving;
    if (this.#arriving.size > MAX_ARRIVING) oldest!.destroy();
    try {
      return await readBody(request, limit, bodyMs(this.#conduit));
    } finally {
      this.#arriving.delete(request);
    }
  }
}
