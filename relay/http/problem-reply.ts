/**
 * How the relay refuses: RFC 9457 problem details. `not-available` is always the same bytes, since it is what
 * strangers get: no key, foreign key, wrong role, wrong zone, unknown call and unknown transfer look alike.
 */
import type { Socket } from 'node:net';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { MAX_BLOCK_BYTES } from '../../protocol/block.ts';
import { PROBLEMS, Problem } from '../../protocol/problem.ts';
import { discardBody } from './body.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** How long who sent no HTTP may take to read the answer and close. */
const LINGER_MS = 2000;

/** The one answer to strangers. */
export const NOT_AVAILABLE: Buffer = Buffer.from(
  problemJson(new Problem('not-available', 'Nothing is available to this caller here.')),
);

/**
 * Answers a request with a problem after reading and dropping what is left of its body. A connection whose body does
 * not end within bounds is closed after the answer.
 */
export async function refuse(
  request: FastifyRequest,
  reply: FastifyReply,
  problem: Problem,
  limits: { readonly bodyMs: number; readonly retryAfterSeconds: number },
): Promise<void> {
  const hopeless = problem.code === 'body-timeout' || problem.code === 'body-incomplete';
  const drained = !hopeless && (await discardBody(request.raw, MAX_BLOCK_BYTES, limits.bodyMs));
  if (!drained) reply.header('connection', 'close');
  if (problem.status === 503) reply.header('retry-after', limits.retryAfterSeconds);
  // A code without a status is of the tools: that one comes here is a fault of the relay.
  reply.code(problem.status || PROBLEMS.internal.status).header('content-type', PROBLEM_TYPE);
  await reply.send(problem.code === 'not-available' ? NOT_AVAILABLE : Buffer.from(problemJson(problem)));
}

/**
 * The answer to bytes that are not HTTP: the same as to any stranger, and the end of the connection. Only the end when
 * an answer is under way, which this one must not stand in the middle of.
 */
export function refuseNotHttp(socket: Socket, answering: boolean): void {
  if (answering || !socket.writable) return void socket.destroy();
  const head = [
    `HTTP/1.1 ${PROBLEMS['not-available'].status} Not Found`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${NOT_AVAILABLE.length}`,
    'connection: close',
  ];
  socket.end(Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), NOT_AVAILABLE]));
  setTimeout(() => socket.destroy(), LINGER_MS).unref();
}

function problemJson(problem: Problem): string {
  const { code, detail, status, mend } = problem;
  const shown = code === 'internal' ? 'The log of the relay says what happened.' : detail;
  const title = code.replaceAll('-', ' ');
  return JSON.stringify({ type: `urn:ghostpipe:problem:${code}`, title, status, detail: shown, code, mend });
}
