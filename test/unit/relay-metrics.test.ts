/** The metrics: what is counted, what the two kinds of listeners are shown, and what labels there may be. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Levels } from '../../relay/monitor/level-metrics.ts';
import { makeMetrics } from '../../relay/monitor/metrics.ts';
import type { DeviceStatus } from '../../relay/monitor/status.ts';

const LEVELS: Levels = {
  health: {
    status: 'ready',
    reasons: [],
    notices: [],
    name: 'plant-1',
    software: 'ghostpipe 0.1.0',
    uptimeSeconds: 75,
    epoch: 'ab',
    rosterVersion: 3,
    slots: { free: 5, used: 2, burning: 1 },
    registeredDevices: 1,
  },
  oldestBlockSeconds: 7.5,
  intervalSeconds: 15,
  rosterDevices: 2,
  unrostered: 0,
  rosterNotInFile: true,
  log: {
    mode: 'best-effort',
    head: { size: 1000, seconds: 1_800_000_000 },
    headAgeMs: 12_500,
    epochs: 2,
    records: 1500,
    bytes: 400_000,
    limitBytes: 1_000_000,
    isFilling: false,
    unwritten: 4,
    faults: 1,
    receiptsFailed: 3,
    receiptsLost: 2,
    isFull: true,
    alarm: null,
    unarchived: 5,
    stick: null,
  },
};
const PLC: DeviceStatus = {
  name: 'plc',
  did: 'did:paramant:x',
  zone: 'ot',
  roles: ['send'],
  registered: true,
  registeredSeconds: 70,
  lastBlockSeconds: 8,
  lastClaimSeconds: null,
  blocksHeld: 2,
  blocksWaiting: 0,
};

function metricsOf(t: Test, devices: () => readonly DeviceStatus[] = () => []) {
  const metrics = makeMetrics(() => LEVELS, devices);
  t.teardown(() => metrics.close());
  return metrics;
}

t.test('levels and counters', async (t) => {
  const metrics = metricsOf(t);
  metrics.refusal('slots-full');
  metrics.cover();
  metrics.repeated();
  metrics.delivery({ type: 'burned', transferId: 'secret-id', sender: 'did:paramant:x', state: 'expired' });
  const text = await metrics.text('ot');
  for (const line of [
    'ghostpipe_ready 1',
    'ghostpipe_uptime_seconds 75',
    'ghostpipe_registered_devices 1',
    'ghostpipe_roster_devices 2',
    'ghostpipe_roster_version 3',
    'ghostpipe_roster_not_in_file 1',
    'ghostpipe_unrostered_revocations 0',
    'ghostpipe_interval_seconds 15',
    'ghostpipe_oldest_block_age_seconds 7.5',
    'ghostpipe_slots{state="used"} 2',
    'ghostpipe_log_head_age_seconds 12.5',
    'ghostpipe_log_records 1500',
    'ghostpipe_log_epochs 2',
    'ghostpipe_log_bytes 400000',
    'ghostpipe_log_limit_bytes 1000000',
    'ghostpipe_log_unwritten_records 4',
    'ghostpipe_log_unarchived_records 5',
    'ghostpipe_log_mode{mode="best-effort"} 1',
    'ghostpipe_log_full 1',
    'ghostpipe_log_faults_total 1',
    'ghostpipe_log_receipts_failed_total 3',
    'ghostpipe_log_receipts_lost_total 2',
    'ghostpipe_relay_info{software="ghostpipe 0.1.0",epoch="ab"} 1',
    'ghostpipe_refusals_total{code="slots-full"} 1',
    'ghostpipe_refusals_total{code="quota-exceeded"} 0',
    'ghostpipe_covers_total 1',
    'ghostpipe_repeats_total 1',
    'ghostpipe_blocks_burned_total{state="expired"} 1',
    'ghostpipe_blocks_burned_total{state="delivered"} 0',
    'ghostpipe_transfer_events_total{event="burned"} 1',
  ]) {
    t.ok(text.includes(`\n${line}\n`), line);
  }
  t.match(text, /^process_resident_memory_bytes \d{7,}$/m);
  t.match(text, /^process_cpu_seconds_total \d+\.\d+$/m);
  t.match(text, /# EOF\n$/);
  t.notMatch(text, 'secret-id');
});

t.test('only the management zone is shown devices, and only those that there are', async (t) => {
  let devices: readonly DeviceStatus[] = [
    PLC,
    { ...PLC, name: 'fresh', lastBlockSeconds: null },
    { ...PLC, name: 'away', registered: false },
    { ...PLC, name: 'historian', zone: 'it', roles: ['receive'], lastBlockSeconds: null, blocksWaiting: 4 },
    { ...PLC, name: 'auditor', zone: 'management', roles: ['audit'], registered: false },
  ];
  const metrics = metricsOf(t, () => devices);
  const shown = async () => (await metrics.text('management')).match(/^ghostpipe_device_.*$/gm) ?? [];
  t.same(await shown(), [
    'ghostpipe_device_registered{device="plc",zone="ot"} 1',
    'ghostpipe_device_registered{device="fresh",zone="ot"} 1',
    'ghostpipe_device_registered{device="away",zone="ot"} 0',
    'ghostpipe_device_registered{device="historian",zone="it"} 1',
    'ghostpipe_device_block_age_seconds{device="plc",zone="ot"} 8',
    'ghostpipe_device_block_age_seconds{device="fresh",zone="ot"} 70',
    'ghostpipe_device_claim_age_seconds{device="historian",zone="it"} 70',
    'ghostpipe_device_blocks_waiting{device="historian",zone="it"} 4',
  ]);
  for (const zone of ['ot', 'it'] as const) t.notMatch(await metrics.text(zone), /device=|historian/, zone);
  devices = [PLC];
  t.notMatch((await shown()).join(), /fresh|historian/, 'who left the roster leaves no series behind');
});

t.test('connections are counted while they are open', async (t) => {
  const metrics = metricsOf(t);
  const server = createServer();
  metrics.watch('it', server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as { port: number };
  const open = async () => /ghostpipe_connections\{zone="it"\} (\d+)/.exec(await metrics.text('ot'))?.[1];
  const opens = async (count: string) => {
    for (let looks = 0; looks < 400 && (await open()) !== count; looks++) await sleep(5);
    return open();
  };
  t.equal(await open(), '0');
  const sockets = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  t.equal(await opens('2'), '2');
  for (const socket of sockets) socket.destroy();
  t.equal(await opens('0'), '0');
});

t.test('a held-up event loop is seen', async (t) => {
  const metrics = metricsOf(t);
  const delay = async () => Number(/^ghostpipe_event_loop_delay_seconds (\S+)/m.exec(await metrics.text('ot'))![1]);
  await sleep(100);
  const until = performance.now() + 300;
  while (performance.now() < until);
  await sleep(50);
  t.ok((await delay()) > 0.2, 'the pause is seen');
  await sleep(1100);
  t.ok((await delay()) > 0.2, 'and still is when a second has passed');
});
