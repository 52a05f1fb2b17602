/** No answer leaves before the audit log is as safe as its mode promises, whatever its caller accepts. */
import t from 'tap';
import type { Call } from '../../protocol/config.ts';
import { openListener } from '../../relay/http/listener.ts';
import { Strangers } from '../../relay/http/strangers.ts';
import { makeLog } from '../../relay/monitor/event-log.ts';
import { makeMetrics } from '../../relay/monitor/metrics.ts';
import type { Route } from '../../relay/routes/route.ts';

type Options = Parameters<typeof openListener>[0];

t.test('every call waits for the log, but one that waited by itself', async (t) => {
  const calls: Call[] = ['revoke', 'inbound'];
  const routes = calls.map((call): Route => {
    return { call, method: 'POST', url: `/${call}`, allowed: 'anyone', schema: {}, handle: () => ({}) };
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
    audit: { settled: async () => 'durable' },
    limits: { bodySeconds: 5, connections: 8, connectionsPerPeer: 8, failuresPerMinute: 60 },
    intervalMs: 1000,
    version: { version: '0' },
    log,
    metrics,
    strangers: new Strangers({ failuresPerMinute: 60, log, metrics, now: () => 0 }),
  } as unknown as Options);
  t.teardown(() => open.close());
  const keptOf = async (call: Call, accept: string) => {
    const request = { method: 'POST', headers: { accept, connection: 'close' }, body: 'x' };
    const answer = await fetch(`http://127.0.0.1:${open.port}/${call}`, request);
    await answer.arrayBuffer();
    return answer.headers.get('ghostpipe-audit');
  };
  t.equal(await keptOf('revoke', '*/*'), 'durable');
  t.equal(await keptOf('revoke', 'application/octet-stream'), 'durable');
  t.equal(await keptOf('inbound', '*/*'), 'durable');
  t.equal(await keptOf('inbound', 'application/octet-stream'), null, 'which waits before its fixed time');
});
