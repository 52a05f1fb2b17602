/** A listener serves the calls of its list and nothing else, and its /openapi.json says exactly what it serves. */
import t from 'tap';
import { CALLS, type Call, type ListenerConfig } from '../../protocol/config.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { smallLog } from '../fixtures/log-view.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { ask, runRelay } from '../fixtures/relay.ts';

/** Method and path of each call, as the wire contract has them. */
const CONTRACT: Record<Call, string> = {
  inbound: 'POST /v2/inbound',
  claim: 'POST /v2/claim',
  ack: 'POST /v2/ack',
  outbound: 'GET /v2/outbound/{hash}',
  status: 'GET /v2/status/{id}',
  delete: 'DELETE /v2/inbound/{id}',
  roster: 'GET /v2/roster',
  'roster-publish': 'POST /v2/roster',
  revoke: 'POST /v2/revoke',
  did: 'GET /v2/did/{did}',
  register: 'POST /v2/did/register',
  membership: 'POST /v2/membership',
  health: 'GET /health',
  metrics: 'GET /metrics',
  openapi: 'GET /openapi.json',
  'status-page': 'GET /',
  'status-json': 'GET /status.json',
  checkpoint: 'GET /checkpoint',
  tile: 'GET /tile/{*}',
  entries: 'GET /tile/entries/{*}',
  'ct-epoch': 'GET /v2/ct/epoch',
  'ct-sth': 'GET /v2/ct/sth',
  'ct-sth-history': 'GET /v2/ct/sth/history',
  'ct-proof': 'GET /v2/ct/proof',
  'ct-consistency': 'GET /v2/ct/consistency',
  'ct-log': 'GET /v2/ct/log',
  'ct-feed': 'GET /v2/ct/feed.xml',
  'ct-cosigned': 'POST /v2/ct/cosigned',
};

/** A relay serves the calls of the audit log when it has one. */
const audit = smallLog(engine, [3]);

interface OpenApi {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Record<string, Record<string, { summary: string; responses: Record<string, unknown> }>>;
}

/** What some of these calls serve of each epoch by itself. */
const OF_EPOCHS: Partial<Readonly<Record<Call, readonly string[]>>> = {
  checkpoint: ['GET /v2/ct/epochs/{epoch}/checkpoint'],
  tile: ['GET /v2/ct/epochs/{epoch}/tile/{*}'],
  entries: ['GET /v2/ct/epochs/{epoch}/tile/entries/{*}'],
  'ct-epoch': ['GET /v2/ct/epochs/{epoch}/epoch'],
  'ct-proof': ['GET /v2/ct/epochs/{epoch}/tail'],
};

function requestOf(call: Call): { method: string; path: string } {
  const [method, path] = CONTRACT[call].split(' ') as [string, string];
  return { method, path: path.replace(/\{(\w+|\*)\}/, 'x') };
}

/** A relay has at most 16 listeners. */
for (const own of [CALLS.slice(0, 13), CALLS.slice(13)]) {
  t.test(`one listener for each call from ${own[0]} on, and each call at each listener`, async (t) => {
    const listeners: ListenerConfig[] = own.map((call) => ({
      zone: 'management',
      address: '127.0.0.1',
      port: 0,
      tls: 'pq',
      calls: call === 'openapi' ? [call] : [call, 'openapi'],
    }));
    const site = smallPlant(t.testdir(), { listeners });
    const { relay, log } = await runRelay(t, site, { audit });
    for (const [index, { calls }] of listeners.entries()) {
      const peer = { host: '127.0.0.1', port: relay.listeners[index]!.port, pins: [relay.pin] };
      const described = JSON.parse((await ask(peer, { path: '/openapi.json' })).body.toString()) as OpenApi;
      const served = Object.entries(described.paths).flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
      );
      const wanted = calls.flatMap((call) => [CONTRACT[call], ...(OF_EPOCHS[call] ?? [])]);
      t.same(served.sort(), wanted.sort(), `described: ${calls.join(', ')}`);
      for (const call of CALLS) {
        const before = log.length;
        const answer = await ask(peer, requestOf(call));
        const refused = log.slice(before).some(({ detail }) => /serves no such call/.test(String(detail)));
        const isServed = calls.includes(call) || (call === 'entries' && calls.includes('tile')); // as a tile of hashes
        t.equal(refused, !isServed, `${call} at a listener of ${calls.join(', ')}`);
        if (refused) t.ok(answer.body.equals(NOT_AVAILABLE));
      }
    }
  });
}

t.test('the description names every call, what it answers, and how it refuses', async (t) => {
  const listener: ListenerConfig = {
    zone: 'management',
    address: '127.0.0.1',
    port: 0,
    tls: 'pq',
    calls: [...CALLS],
  };
  const site = smallPlant(t.testdir(), { listeners: [listener] });
  const { ask } = await runRelay(t, site, { audit });
  const { openapi, info, paths } = JSON.parse(
    (await ask('management', { path: '/openapi.json' })).body.toString(),
  ) as OpenApi;
  t.equal(openapi, '3.1.0');
  t.match(info, { title: 'Ghost Pipe relay, zone management', version: /^\d+\.\d+\.\d+$/ });
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  t.equal(operations.length, CALLS.length + Object.values(OF_EPOCHS).flat().length);
  for (const { summary, responses } of operations) {
    t.match(summary, /^[A-Z].*\.$/);
    t.ok(responses['200'] ?? responses['201'], summary);
    t.match(responses.default, { content: { 'application/problem+json': {} } });
  }
});
