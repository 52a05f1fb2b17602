/** What a call is, as data: listeners serve it, /openapi.json describes it. */
import type {} from '@fastify/swagger';
import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import type { Call } from '../../protocol/config.ts';
import { Problem } from '../../protocol/problem.ts';
import { OCTETS } from '../http/octet-reply.ts';
import { PROBLEM_TYPE } from '../http/problem-reply.ts';
import type { Allowed, ZoneGate } from '../members/auth.ts';
import type { Member } from '../members/registry.ts';

/** One request and its reply, at a listener of one zone. */
export interface Exchange {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly zone: ZoneGate;
}

export interface MemberExchange extends Exchange {
  /**
   * Who calls, authenticated anew at each use: a body takes its time, and a revocation counts at once. Refuses
   * `not-available`.
   */
  member(): Member;
}

interface RouteBase {
  readonly call: Call;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Fastify's form, with `:name` for parameters. */
  readonly url: string;
  readonly schema: FastifySchema;
}

export interface OpenExchange extends Exchange {
  /** Stands before work that costs much: refuses `not-available` when a stranger's source has failed too often. */
  refuseSpent(): void;
}

/** A call that needs no API key, or (registration) checks it itself. */
export interface OpenRoute extends RouteBase {
  readonly allowed: 'anyone';
  handle(exchange: OpenExchange): unknown;
}

/** A call for registered devices; the gate has let the caller pass before `handle` runs. */
export interface MemberRoute extends RouteBase {
  readonly allowed: Allowed;
  handle(exchange: MemberExchange): unknown;
}

export type Route = OpenRoute | MemberRoute;

/** Refuses `media-type` unless the body is announced as `type`. */
export function requireType(request: FastifyRequest, type: string): void {
  const actual = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (actual !== type) throw new Problem('media-type', `content-type is ${actual ?? 'missing'}, expected ${type}`);
}

/** A path parameter that the route's URL names. */
export function parameter(request: FastifyRequest, name: string): string {
  return (request.params as Record<string, string>)[name]!;
}

const NEEDS_KEY = [{ apiKey: [] }];

/** The description of a call: one sentence, what is sent, what is answered. */
export function describe(
  summary: string,
  options: {
    readonly open?: true;
    readonly body?: object;
    readonly params?: object;
    readonly headers?: object;
    readonly response: Readonly<Record<number, object>>;
  },
): FastifySchema {
  const { open, response, ...rest } = options;
  const refusal = { description: 'Any refusal (RFC 9457).', content: { [PROBLEM_TYPE]: { schema: PROBLEM_SCHEMA } } };
  return { summary, security: open ? [] : NEEDS_KEY, ...rest, response: { ...response, default: refusal } };
}

/** An octet-stream body of exactly `bytes` bytes. */
export function octets(description: string, bytes: number): object {
  const schema = { type: 'string', format: 'binary', minLength: bytes, maxLength: bytes };
  return { description, content: { [OCTETS]: { schema } } };
}

/** A JSON body with the named fields. */
export function json(description: string, properties: object = {}): object {
  return { description, content: { 'application/json': { schema: { type: 'object', properties } } } };
}

/** String parameters of the path, or headers, with their patterns. */
export function strings(patterns: Readonly<Record<string, string>>): object {
  const properties = Object.entries(patterns).map(([name, pattern]) => [name, { type: 'string', pattern }]);
  return { type: 'object', properties: Object.fromEntries(properties) };
}

const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'mend'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string' },
    mend: { type: 'string' },
  },
};
