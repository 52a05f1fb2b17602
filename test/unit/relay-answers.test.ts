/** What leaves a listener: no answer before the audit log is as safe as its mode promises, and every refusal as a problem. */
import t, { type Test } from 'tap';
import type { Call } from '../../protocol/config.ts';
import { Problem } from '../../protocol/problem.ts';
import { openListener } from '../../relay/http/listener.ts';
import { Strangers } from '../../relay/http/strangers.ts';
import { makeLog } from '../../relay/monitor/event-log.ts';
import { makeMetrics } from '../../relay/monitor/metrics.ts';
import type { Route } from '../../relay/routes/route.ts';

type Options = Parameters<typeof openListener>[0];

/** A listener whose calls do what they are given; `ask` posts to one. */
async function listen(t: Test, handlers: Partial<Readonly<Record<Call, () => object>>>) {
  const calls = Object.keys(handlers) as Call[];
  const routes = calls.map((call): Route => {
    return { call, method: 'POST', url: `/${call}`, allowed: 'anyone', schema: {}, handle: handlers[call]! };
  });
  const log = makeLog('silent');
  const metrics = makeMetrics(
    () => t.fail('no figures here') as never,
    () => [],
  );
  t.teardown(() => metrics.close());
  const listener = { zone: 'management', address: '127.0.0.1', port: 0, tls: 'off', calls } as const;
  const open = await openListener({
    listener,
    routes,
    zone: { name: 'management', admits: () => true },
    registry: null,
    audit: { settled: async () => 'durable', refusedStranger() {} },
    limits: { bodySeconds: 5, connections: 8, connectionsPerPeer: 8, failuresPerMinute: 60 },
    intervalMs: 1000,
    version: { version: '0' },
    log,
    metrics,
    strangers: new Strangers({ failuresPerMinute: 60, log, metrics, now: () => 0 }),
  } as unknown as Options);
  t.teardown(() => open.close());
  return async (call: Call, accept = '*/*') => {
    const request = { method: 'POST', headers: { accept, connection: 'close' }, body: 'x' };
    const { status, headers, ...answer } = await fetch(`http://127.0.0.1:${open.port}/${call}`, request).then(
      async (got) => ({ status: got.status, headers: got.headers, value: await got.json() }),
    );
    return { status, kept: headers.get('ghostpipe-audit'), type: headers.get('content-type'), ...answer };
  };
}

t.test('every call waits for the log, but one that waited by itself', async (t) => {
  const ask = await listen(t, { revoke: () => ({}), inbound: () => ({}) });
  const keptOf = async (call: Call, accept: string) => (await ask(call, accept)).kept;
  t.equal(await keptOf('revoke', '*/*'), 'durable');
  t.equal(await keptOf('revoke', 'application/octet-stream'), 'durable');
  t.equal(await keptOf('inbound', '*/*'), 'durable');
  t.equal(await keptOf('inbound', 'application/octet-stream'), null, 'which waits before its fixed time');
});

t.test('every code is answered as a problem, also one that only tools should give', async (t) => {
  const ask = await listen(t, {
    'ct-cosigned': () => {
      throw new Problem('log-missing', 'no such epoch');
    },
    revoke: () => {
      throw new Problem('log-export-invalid', 'a code of the tools');
    },
  });
  const type = 'application/problem+json';
  t.match(await ask('ct-cosigned'), { status: 404, type, value: { code: 'log-missing', detail: 'no such epoch' } });
  t.match(await ask('revoke'), { status: 500, type, value: { code: 'log-export-invalid' } });
});
