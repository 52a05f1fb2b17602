/** What the management zone is told of each device of the roster that sends or receives; its label is its name. */
import { Gauge, type OpenMetricsContentType, type Registry } from 'prom-client';
import type { DeviceStatus } from './status.ts';

/** Gauges of devices; a device for which one gives null has no such series. */
const NUMBERS: readonly {
  readonly name: string;
  readonly help: string;
  readonly of: (device: DeviceStatus) => number | null;
}[] = [
  {
    name: 'ghostpipe_device_registered',
    help: '1 when the sender or receiver is registered, else 0.',
    of: ({ roles, registered }) => (roles.includes('send') || roles.includes('receive') ? Number(registered) : null),
  },
  {
    name: 'ghostpipe_device_block_age_seconds',
    help: 'Time since the last block of a registered sender was accepted; since its registration when none was.',
    of: ({ roles, registered, lastBlockSeconds, registeredSeconds }) =>
      registered && roles.includes('send') ? (lastBlockSeconds ?? registeredSeconds) : null,
  },
  {
    name: 'ghostpipe_device_claim_age_seconds',
    help: 'Time since a registered receiver last claimed; since its registration when it never did.',
    of: ({ roles, registered, lastClaimSeconds, registeredSeconds }) =>
      registered && roles.includes('receive') ? (lastClaimSeconds ?? registeredSeconds) : null,
  },
  {
    name: 'ghostpipe_device_blocks_waiting',
    help: 'Blocks that wait for a receiver.',
    of: ({ roles, blocksWaiting }) => (roles.includes('receive') ? blocksWaiting : null),
  },
];

/** Adds the gauges to `registers`; `devices` is asked at each exposition. */
export function addDeviceMetrics(
  registers: Registry<OpenMetricsContentType>[],
  devices: () => readonly DeviceStatus[],
): void {
  for (const { name, help, of } of NUMBERS) {
    new Gauge({
      name,
      help,
      labelNames: ['device', 'zone'],
      registers,
      collect() {
        this.reset(); // a device that left the roster, or its place, leaves no series behind
        for (const device of devices()) {
          const value = of(device);
          if (value !== null) this.set({ device: device.name, zone: device.zone }, value);
        }
      },
    });
  }
}
