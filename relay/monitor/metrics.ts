/**
 * Counters and gauges in OpenMetrics text. Labels come from closed lists: states, codes, zones. Only the management
 * zone is shown series that name devices, at most one for each device of the roster; nothing ever names a transfer or
 * anything of a payload.
 */
import type { Server } from 'node:http';
import { Counter, Gauge, type OpenMetricsContentType, Registry } from 'prom-client';
import type { ProblemCode } from '../../protocol/problem.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { DropReason } from '../http/connections.ts';
import type { DeliveryEvent } from '../store/event.ts';
import { addDeviceMetrics } from './device-metrics.ts';
import { addLevelMetrics, type Levels } from './level-metrics.ts';
import { addLogMetrics } from './log-metrics.ts';
import { addProcessMetrics } from './process-metrics.ts';
import type { DeviceStatus } from './status.ts';

/** Labels whose series exist from the start: one that begins at its first event would hide that event from rates. */
const EVENTS: readonly DeliveryEvent['type'][] = [
  'accepted',
  'leased',
  'lapsed',
  'acked',
  'rejected',
  'expired',
  'burned',
];
const ENDS: readonly NonNullable<DeliveryEvent['state']>[] = ['delivered', 'rejected', 'expired', 'deleted'];
const DROP_REASONS: readonly DropReason[] = ['share', 'full'];
const FREQUENT_CODES: readonly ProblemCode[] = ['slots-full', 'quota-exceeded', 'not-available'];

export interface Metrics {
  readonly contentType: string;
  /** The whole exposition as a listener of `zone` shows it: with devices in the management zone only. */
  text(zone: Zone): Promise<string>;
  /** Counts what happened to a transfer. */
  delivery(event: DeliveryEvent): void;
  /** Counts a claim that was answered with a cover. */
  cover(): void;
  /** Counts a submit that was answered from memory. */
  repeated(): void;
  /** Counts a refusal, of a call or of an item in a control frame. */
  refusal(code: ProblemCode): void;
  /** Counts a failed attempt of a caller that proved nothing. */
  failure(): void;
  /** Counts an attempt that was refused unread, since its source had failed too often. */
  throttled(): void;
  /** Counts a connection that was dropped to keep within the limits. */
  dropped(reason: DropReason): void;
  /** Counts the connections of a listener, and the handshakes that fail at it. */
  watch(zone: Zone, server: Server): void;
  /** Ends what measures by itself. */
  close(): void;
}

/** Metrics of their own; `levels` and `devices` are asked at each exposition. */
export function makeMetrics(levels: () => Levels, devices: () => readonly DeviceStatus[]): Metrics {
  const everywhere = openMetricsRegistry();
  const inManagement = openMetricsRegistry();
  const registers = [everywhere, inManagement];
  const deliveries = new Counter({
    name: 'ghostpipe_transfer_events_total',
    help: 'What happened to transfers, by event.',
    labelNames: ['event'],
    registers,
  });
  const burned = new Counter({
    name: 'ghostpipe_blocks_burned_total',
    help: 'Blocks whose bytes were destroyed, by how the transfer ended.',
    labelNames: ['state'],
    registers,
  });
  const covers = new Counter({ name: 'ghostpipe_covers_total', help: 'Claims answered by a cover.', registers });
  const repeats = new Counter({ name: 'ghostpipe_repeats_total', help: 'Submits of a known block.', registers });
  const refusals = new Counter({
    name: 'ghostpipe_refusals_total',
    help: 'Refused calls and items, by problem code.',
    labelNames: ['code'],
    registers,
  });
  const failures = new Counter({
    name: 'ghostpipe_failed_attempts_total',
    help: 'Requests and connections of callers that proved nothing.',
    registers,
  });
  const throttled = new Counter({
    name: 'ghostpipe_throttled_total',
    help: 'Attempts refused unread, since their source had failed too often.',
    registers,
  });
  const dropped = new Counter({
    name: 'ghostpipe_connections_dropped_total',
    help: 'Connections dropped because a peer (share) or the listener (full) had too many.',
    labelNames: ['reason'],
    registers,
  });
  const connections = new Gauge({
    name: 'ghostpipe_connections',
    help: 'Open connections, by zone.',
    labelNames: ['zone'],
    registers,
  });
  const handshakes = new Counter({
    name: 'ghostpipe_handshake_failures_total',
    help: 'TLS handshakes that failed, by zone.',
    labelNames: ['zone'],
    registers,
  });
  for (const event of EVENTS) deliveries.inc({ event }, 0);
  for (const state of ENDS) burned.inc({ state }, 0);
  for (const code of FREQUENT_CODES) refusals.inc({ code }, 0);
  for (const reason of DROP_REASONS) dropped.inc({ reason }, 0);
  addLevelMetrics(registers, levels);
  addLogMetrics(registers, () => levels().log);
  const endProcess = addProcessMetrics(registers);
  addDeviceMetrics([inManagement], devices);
  return {
    contentType: everywhere.contentType,
    text: (zone) => (zone === 'management' ? inManagement : everywhere).metrics(),
    delivery({ type, state }) {
      deliveries.inc({ event: type });
      if (type === 'burned') burned.inc({ state: state! });
    },
    cover: () => covers.inc(),
    repeated: () => repeats.inc(),
    refusal: (code) => refusals.inc({ code }),
    failure: () => failures.inc(),
    throttled: () => throttled.inc(),
    dropped: (reason) => dropped.inc({ reason }),
    watch(zone, server) {
      connections.inc({ zone }, 0);
      handshakes.inc({ zone }, 0);
      server.on('connection', (socket) => {
        connections.inc({ zone });
        socket.once('close', () => connections.dec({ zone }));
      });
      server.on('tlsClientError', () => handshakes.inc({ zone }));
    },
    close: endProcess,
  };
}

function openMetricsRegistry(): Registry<OpenMetricsContentType> {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  return registry;
}
