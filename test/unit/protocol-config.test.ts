import t from 'tap';
import {
  CALLS,
  type Call,
  DATA_CALLS,
  DEFAULT_LISTENER,
  MANAGEMENT_CALLS,
  parseRelayConfig,
} from '../../protocol/config.ts';
import { Problem } from '../../protocol/problem.ts';

const health = { zone: 'management', address: '127.0.0.1', port: 9100, tls: 'off', calls: ['health'] };

function refusedAt(value: unknown): string {
  try {
    parseRelayConfig(value);
    return 'accepted';
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'schema-invalid') return thrown.path;
    throw thrown;
  }
}

t.test('only listeners must be written; the rest has defaults', async (t) => {
  t.same(parseRelayConfig({ listeners: [DEFAULT_LISTENER] }), {
    mode: 'iot',
    audit: { mode: 'best-effort', ramMiB: 256, pruneQuorum: 1, stick: null },
    name: 'relay',
    seedFile: null,
    licenceKey: null,
    site: null,
    listeners: [DEFAULT_LISTENER],
    store: { kind: 'slab', slots: 64 },
    limits: {
      maxTtlSeconds: 86_400,
      leaseSeconds: 60,
      leasesPerReader: 4,
      slotsPerSender: 64,
      slotsPerZone: { ot: 4096, it: 4096, management: 4096 },
      bodySeconds: 60,
      connections: 512,
      connectionsPerPeer: 64,
      failuresPerMinute: 60,
    },
    useNotice: null,
    notReady: null,
    appliance: null,
    logLevel: 'info',
  });
});

t.test('what only an appliance writes', async (t) => {
  const places = { statement: 'statement.json', self: 'self.json', synchronized: '/run/x' };
  const site = { siteId: '0'.repeat(32), operatorKeyHash: `sha256/${'A'.repeat(43)}`, rosterFile: 'roster.json' };
  const written = { listeners: [DEFAULT_LISTENER] };
  t.same(parseRelayConfig({ ...written, site, appliance: places }).appliance, places);
  t.equal(refusedAt({ ...written, appliance: places }), 'appliance');
  t.equal(parseRelayConfig({ ...written, notReady: 'No card.' }).notReady, 'No card.');
  t.equal(refusedAt({ ...written, site, notReady: 'No card.' }), 'notReady');
});

t.test('what is written counts', async (t) => {
  const written = {
    mode: 'iot',
    name: 'relay-7',
    seedFile: '/etc/ghostpipe/seed',
    licenceKey: 'plk_abc',
    site: { siteId: '0'.repeat(32), operatorKeyHash: `sha256/${'A'.repeat(43)}`, rosterFile: 'roster.json' },
    listeners: [health],
    store: { slots: 8 },
    limits: { leaseSeconds: 5, slotsPerZone: { it: 2 } },
    useNotice: 'Only for the people of plant 1.',
    logLevel: 'debug',
  };
  const config = parseRelayConfig(written);
  const slotsPerZone = { ot: 4096, it: 2, management: 4096 };
  t.match(config, { ...written, limits: { leaseSeconds: 5, maxTtlSeconds: 86_400, slotsPerSender: 8, slotsPerZone } });
});

t.test('an unknown or wrong key is refused with its place', async (t) => {
  const listeners = [health];
  t.equal(refusedAt({}), '');
  t.equal(refusedAt({ listeners: [] }), 'listeners');
  t.equal(refusedAt({ listeners, colour: 'red' }), 'colour');
  t.equal(refusedAt({ listeners, mode: 'cloud' }), 'mode');
  t.equal(refusedAt({ listeners, limits: { leaseSeconds: 0 } }), 'limits.leaseSeconds');
  t.equal(refusedAt({ listeners, limits: { slotsPerZone: { ot: 0 } } }), 'limits.slotsPerZone.ot');
  t.equal(refusedAt({ listeners, licenceKey: 'abc' }), 'licenceKey');
  t.equal(refusedAt({ listeners, useNotice: 'two\nlines' }), 'useNotice');
  t.equal(refusedAt({ listeners: [{ ...health, port: 65_536 }] }), 'listeners[0].port');
  t.equal(refusedAt({ listeners: [{ ...health, address: 'localhost' }] }), 'listeners[0].address');
  t.equal(refusedAt({ listeners: [health, { ...health, calls: ['health', 'health'] }] }), 'listeners[1].calls[1]');
});

t.test('a store in files needs to know where, and only it', async (t) => {
  const listeners = [health];
  const store = { kind: 'tmpfs', slots: 8, path: '/run/ghostpipe/store' };
  t.same(parseRelayConfig({ listeners, store }).store, store);
  t.same(parseRelayConfig({ listeners, store: { slots: 8, kind: 'slab' } }).store, { kind: 'slab', slots: 8 });
  t.equal(refusedAt({ listeners, store: { kind: 'tmpfs', slots: 8 } }), 'store.kind');
  t.equal(refusedAt({ listeners, store: { slots: 8, path: 'x' } }), 'store.path');
  t.equal(refusedAt({ listeners, store: { ...store, kind: 'disk' } }), 'store.kind');
});

t.test('calls with blocks are served over post-quantum TLS only', async (t) => {
  for (const call of CALLS) {
    const place = refusedAt({ listeners: [{ ...health, tls: 'classic', calls: [call] }] });
    t.equal(place, DATA_CALLS.includes(call) ? 'listeners[0].tls' : 'accepted', call);
  }
});

t.test('tls: off is for loopback only', async (t) => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1']) {
    t.equal(refusedAt({ listeners: [{ ...health, address }] }), 'accepted', address);
  }
  for (const address of ['0.0.0.0', '::', '10.0.0.1', '1127.0.0.1']) {
    t.equal(refusedAt({ listeners: [{ ...health, address }] }), 'listeners[0].address', address);
  }
});

t.test('calls that name devices are served in the management zone only', async (t) => {
  for (const call of CALLS) {
    const place = refusedAt({ listeners: [{ ...health, zone: 'it', tls: 'pq', calls: [call] }] });
    t.equal(place, MANAGEMENT_CALLS.includes(call) ? 'listeners[0].zone' : 'accepted', call);
  }
  const served = new Set<Call>(DEFAULT_LISTENER.calls);
  t.same(
    CALLS.filter((call) => !served.has(call)),
    MANAGEMENT_CALLS,
  );
});

t.test('an audit mode and its stick belong together', async (t) => {
  const place = (audit: object, seedFile?: string) =>
    refusedAt({ listeners: [DEFAULT_LISTENER], audit, ...(seedFile && { seedFile }) });
  const stick = { path: '/mnt/stick/ghostpipe' };
  t.equal(place({ mode: 'required' }, 'seed'), 'audit.mode');
  t.equal(place({ mode: 'none', stick }, 'seed'), 'audit.stick');
  t.equal(place({ mode: 'required', stick }), 'audit.stick', 'each start would have another log key');
  t.equal(place({ mode: 'best-effort', stick: {} }, 'seed'), 'audit.stick');
  for (const mode of ['required', 'best-effort']) t.equal(place({ mode, stick }, 'seed'), 'accepted');
});
