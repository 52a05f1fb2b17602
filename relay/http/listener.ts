/**
 * One listener: one server on one address in one zone that serves the calls of its list and nothing else. Whatever
 * else comes (another call, another method, a bad URL, bytes that are not HTTP) gets the answer of strangers.
 */
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import swagger from '@fastify/swagger';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { ListenerConfig, RelayConfig } from '../../protocol/config.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { RelayIdentity } from '../identity.ts';
import type { Audit } from '../log/audit.ts';
import { authenticate, deviceBehind, NotAuthenticated, type ZoneGate } from '../members/auth.ts';
import type { Registry } from '../members/registry.ts';
import type { Log } from '../monitor/event-log.ts';
import type { Metrics } from '../monitor/metrics.ts';
import type { Route } from '../routes/route.ts';
import { isUniform, UNIFORM_CALLS } from '../routes/uniform.ts';
import type { Version } from '../version.ts';
import { AnswersUnderWay } from './answers.ts';
import { Connections } from './connections.ts';
import { refuse, refuseNotHttp } from './problem-reply.ts';
import type { Strangers } from './strangers.ts';
import { sourceOf } from './throttle.ts';
import { tlsOptions } from './tls-options.ts';

const HEADERS_MS = 5000;
const MAX_HEADER_BYTES = 8192;
const MAX_HEADERS = 32;
/** An idle connection outlives at least two intervals, since a device holds one for all its exchanges. */
const MIN_KEEP_ALIVE_MS = 75_000;
/** After so long without a byte a peer is asked whether it is still there; ten seconds later it is not. */
const ASK_PEER_MS = 15_000;
/** How long requests under way may still take when the relay stops. */
const STOP_MS = 2000;

export interface ListenerOptions {
  readonly listener: ListenerConfig;
  /** All routes of the relay; only those on the listener's list are served. */
  readonly routes: readonly Route[];
  readonly zone: ZoneGate;
  /** Null while the relay serves no site: then no route needs it. */
  readonly registry: Registry | null;
  /** Null as `registry`. */
  readonly audit: Audit | null;
  readonly limits: RelayConfig['limits'];
  /** The sector's interval, for keep-alive and Retry-After. */
  readonly intervalMs: number;
  readonly identity: RelayIdentity;
  readonly version: Version;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly strangers: Strangers;
}

export interface OpenListener {
  readonly zone: ListenerConfig['zone'];
  readonly address: string;
  readonly port: number;
  readonly tls: ListenerConfig['tls'];
  close(): Promise<void>;
}

/** Binds and serves; refuses `config-invalid` when the address cannot be bound. */
export async function openListener(options: ListenerOptions): Promise<OpenListener> {
  const { zone, address, port, tls } = options.listener;
  const app = await buildListener(options);
  await app.listen({ host: address, port }).catch((error: NodeJS.ErrnoException) => {
    throw new Problem('config-invalid', `${address} port ${port} cannot be bound (${error.code})`);
  });
  const bound = app.server.address() as AddressInfo;
  return { zone, address, port: bound.port, tls, close: () => app.close() };
}

/** The listener's application, not bound yet. */
async function buildListener(options: ListenerOptions): Promise<FastifyInstance> {
  const { listener, limits, intervalMs, registry, audit, log, metrics, strangers } = options;
  const bodyMs = Math.max(limits.bodySeconds * 1000, intervalMs);
  const refusing = { bodyMs, retryAfterSeconds: Math.ceil(intervalMs / 1000) };

  const refuseAny = (request: FastifyRequest, reply: FastifyReply, thrown: unknown): Promise<void> => {
    const problem = asProblem(thrown);
    const { code, detail } = problem;
    const call = request.routeOptions?.config?.url ?? 'unknown';
    metrics.refusal(code);
    const caller = deviceBehind(registry, request.headers.authorization)?.device.did;
    if (audit) recordRefusal(audit, listener.zone, problem, caller, sourceOf(request.ip));
    const tell = () => {
      const line = { zone: listener.zone, call, peer: request.ip, code, detail };
      log[code === 'internal' ? 'error' : 'warn'](line, 'refused');
    };
    const known = code !== 'not-available' || caller !== undefined;
    if (known) tell();
    else strangers.failed(sourceOf(request.ip), tell);
    return refuse(request, reply, problem, refusing);
  };

  const answers = new AnswersUnderWay();
  const connections = new Connections(limits, {
    dropped: (reason) => metrics.dropped(reason),
    silent(peer) {
      audit?.probed(listener.zone, 'connection', peer);
      strangers.failed(peer, () => log.debug({ zone: listener.zone, peer }, 'no request'));
    },
  });
  const app = fastify({
    serverFactory: (handler) =>
      makeServer(options, connections, (request, response) => {
        answers.begin(request, response);
        response.sendDate = false; // answers tell nothing that their reader does not need
        handler(request, response);
      }),
    logger: false,
    exposeHeadRoutes: false,
    frameworkErrors: (error, request, reply) => void refuseAny(request, reply, unknownCall(error.code)),
    clientErrorHandler: (_error, socket) => refuseNotHttp(socket as Socket, answers.has(socket as Socket)),
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null)); // bodies are read by who checked the caller
  app.setValidatorCompiler(() => () => true); // schemas describe; protocol/ checks
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.addHook('onRequest', async ({ headers, raw }) => {
    connections.heard(raw.socket, deviceBehind(registry, headers.authorization)?.device.did ?? null);
    if (raw.rawHeaders.length > 2 * MAX_HEADERS) throw unknownCall(`more than ${MAX_HEADERS} headers`);
    if (headers.host === undefined && raw.httpVersion === '1.1') throw unknownCall('without host'); // RFC 9112 section 3.2
  });
  app.setErrorHandler((error, request, reply) =>
    refuseAny(request, reply, ofCaller(error) ? unknownCall(error.code) : error),
  );
  app.setNotFoundHandler((request, reply) => refuseAny(request, reply, unknownCall(request.method)));
  app.addHook('preClose', async () => connections.close(STOP_MS));
  await app.register(swagger, { openapi: describeListener(options) });
  for (const route of options.routes) {
    if (listener.calls.includes(route.call)) serve(app, route, options);
  }
  await app.ready();
  return app;
}

/** What the audit log is told of a refusal: a stranger without a key is a probe, one with a wrong key no device. */
function recordRefusal(audit: Audit, zone: Zone, problem: Problem, did: string | undefined, source: string): void {
  const { code } = problem;
  if (problem instanceof NotAuthenticated) audit.authFailed(did ?? null, zone);
  else if (did) audit.refused(did, code);
  else if (code === 'not-available') audit.probed(zone, 'request', source);
  else audit.refusedStranger(zone, code);
}

function serve(app: FastifyInstance, route: Route, { zone, registry, audit, strangers }: ListenerOptions): void {
  const { method, url, schema } = route;
  const tellsOfChanges = route.allowed !== 'anyone' || method !== 'GET';
  const mayBeUniform = UNIFORM_CALLS.includes(route.call);
  app.route({
    method,
    url,
    schema,
    /** No answer leaves before what it tells of is as safe as the audit mode promises; uniform ones wait themselves. */
    async onSend(request, reply) {
      if (!audit || !tellsOfChanges || (mayBeUniform && isUniform({ request })) || reply.statusCode >= 400) return;
      reply.header('ghostpipe-audit', await audit.settled());
    },
    async handler(request, reply) {
      const { authorization } = request.headers;
      if (route.allowed === 'anyone') {
        const source = sourceOf(request.ip);
        const refuseSpent = (): void => {
          if (!deviceBehind(registry, authorization)) strangers.refuseSpent(source);
        };
        return route.handle({ request, reply, zone, refuseSpent });
      }
      const member = () => authenticate(registry!, authorization, route.allowed, zone);
      audit?.presence.proved(member().device.did, zone.name);
      return route.handle({ request, reply, zone, member });
    },
  });
}

function makeServer(
  { listener, limits, intervalMs, identity, audit, log, metrics }: ListenerOptions,
  connections: Connections,
  handler: (request: http.IncomingMessage, response: http.ServerResponse) => void,
): http.Server {
  const bounds = {
    headersTimeout: HEADERS_MS,
    requestTimeout: HEADERS_MS + Math.max(limits.bodySeconds * 1000, intervalMs),
    keepAliveTimeout: Math.max(MIN_KEEP_ALIVE_MS, 2 * intervalMs),
    maxHeaderSize: MAX_HEADER_BYTES,
    connectionsCheckingInterval: 1000,
    keepAlive: true,
    keepAliveInitialDelay: ASK_PEER_MS,
    requireHostHeader: false, // who leaves it out gets the answer of strangers, not Node's
  };
  const server =
    listener.tls === 'off'
      ? http.createServer(bounds, handler)
      : https.createServer({ ...bounds, ...tlsOptions(listener.tls, identity) }, handler);
  server.on('checkExpectation', handler); // an expectation that is not known is none (RFC 9110 section 10.1.1)
  server.on('checkContinue', (request: http.IncomingMessage, response: http.ServerResponse) => {
    const go = (): void => {
      response.writeContinue();
      handler(request, response);
    };
    // Before its turn on the connection Node would put the 100 between head and body of its answer.
    if (response.socket) go();
    else response.once('socket', go);
  });
  server.maxHeadersCount = MAX_HEADERS + 1; // one more, so that more is seen: Node drops the rest
  const [accept] = server.listeners('connection') as [(socket: Socket) => void];
  server.removeAllListeners('connection').on('connection', (socket: Socket) => {
    if (connections.add(socket)) accept.call(server, socket);
  });
  metrics.watch(listener.zone, server as http.Server);
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    audit?.probed(listener.zone, 'handshake', sourceOf(socket.remoteAddress));
    log.debug({ zone: listener.zone, peer: socket.remoteAddress, reason: error.message }, 'no handshake');
  });
  return server as http.Server;
}

/** Fastify's own refusals of a request that it cannot route, as a method that needs a body and has none. */
function ofCaller(error: unknown): error is FastifyError {
  const { code, statusCode } = error as Partial<FastifyError>;
  return code?.startsWith('FST_ERR_') === true && statusCode !== undefined && statusCode < 500;
}

function unknownCall(what: string): Problem {
  return new Problem('not-available', `this listener serves no such call (${what})`);
}

function describeListener({ listener, version }: ListenerOptions) {
  return {
    openapi: '3.1.0',
    info: {
      title: `Ghost Pipe relay, zone ${listener.zone}`,
      description: 'The calls of this listener. Everything else gets the problem not-available.',
      version: version.version,
    },
    components: { securitySchemes: { apiKey: { type: 'http' as const, scheme: 'bearer' } } },
  };
}
