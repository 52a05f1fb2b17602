/** Queries of the audit log's calls: each parameter known, once, canonical and bounded, or `not-available`. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { fromDecimal } from '../../protocol/text.ts';

const MAX_QUERY_CHARACTERS = 1024;

export interface LogQuery {
  text(name: string): string | undefined;
  /** A decimal without leading zeros, up to 2^53 - 1. */
  number(name: string): number | undefined;
}

/** The query of a request that may have the parameters `names`; refuses `not-available`. */
export function queryOf(request: FastifyRequest, names: readonly string[]): LogQuery {
  const [, written = ''] = /\?(.*)$/s.exec(request.url) ?? [];
  const pairs = written.length > MAX_QUERY_CHARACTERS ? undefined : [...new URLSearchParams(written)];
  const values = new Map(pairs);
  if (!pairs || values.size < pairs.length || pairs.some(([name]) => !names.includes(name))) {
    throw new Problem('not-available', `the query may have ${names.join(', ') || 'nothing'}, each once`);
  }
  return {
    text: (name) => values.get(name),
    number(name) {
      const text = values.get(name);
      return text === undefined ? undefined : inVain(() => fromDecimal(text));
    },
  };
}

/** What `parse` gives; what it refuses is refused as `not-available`. */
export function inVain<T>(parse: () => T): T {
  try {
    return parse();
  } catch (thrown) {
    throw new Problem('not-available', asProblem(thrown).detail);
  }
}

/** Sends `text` bytes, or the JSON of `value()` to who accepts JSON. Neither is kept by a cache: the next head differs. */
export function sendEither(
  request: FastifyRequest,
  reply: FastifyReply,
  text: () => Uint8Array,
  value: () => object,
): FastifyReply {
  reply.header('cache-control', 'no-store').header('vary', 'accept');
  const types = request.headers.accept?.split(',').map((type) => type.split(';')[0]!.trim().toLowerCase());
  if (types?.includes('application/json')) return reply.send(value());
  return sendText(reply, text());
}

export function sendText(reply: FastifyReply, bytes: Uint8Array): FastifyReply {
  return reply.header('content-type', 'text/plain; charset=utf-8').send(Buffer.from(bytes));
}
