/** Counters and gauges in OpenMetrics text. No label names a device, a transfer or anything of a payload. */
import { Counter, Gauge, type OpenMetricsContentType, Registry } from 'prom-client';
import type { ProblemCode } from '../protocol/problem.ts';
import type { DropReason } from './connections.ts';
import type { DeliveryEvent } from './store/event.ts';

/** What gauges show at the moment of asking; zeros while the relay serves no site. */
export interface Levels {
  readonly slots: Readonly<Record<'free' | 'used' | 'burning', number>>;
  readonly registeredDevices: number;
  readonly rosterVersion: number;
}

export interface Metrics {
  readonly contentType: string;
  /** The whole exposition. */
  text(): Promise<string>;
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
}

/** Metrics of their own registry; `levels` is asked at each exposition. */
export function makeMetrics(levels: () => Levels): Metrics {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  const registers = [registry];
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
  new Gauge({
    name: 'ghostpipe_slots',
    help: 'Block slots, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(levels().slots)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'ghostpipe_registered_devices',
    help: 'Devices registered now.',
    registers,
    collect() {
      this.set(levels().registeredDevices);
    },
  });
  new Gauge({
    name: 'ghostpipe_roster_version',
    help: 'Version of the roster in force.',
    registers,
    collect() {
      this.set(levels().rosterVersion);
    },
  });
  return {
    contentType: registry.contentType,
    text: () => registry.metrics(),
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
  };
}
