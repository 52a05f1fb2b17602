/** The relay's levels as gauges: what is so at the moment of asking. */
import { Gauge, type OpenMetricsContentType, type Registry } from 'prom-client';
import type { LogState } from '../log/log-state.ts';
import type { Health } from './health.ts';

export interface Levels {
  readonly health: Health;
  /** For how long the oldest held block is held; 0 when none is. */
  readonly oldestBlockSeconds: number;
  readonly intervalSeconds: number;
  /** Devices that the roster lists. */
  readonly rosterDevices: number;
  /** Revocations that stand in no roster. */
  readonly unrostered: number;
  /** Whether a restart would begin with an older roster than the one in force. */
  readonly rosterNotInFile: boolean;
  /** Null while no site is configured. */
  readonly log: LogState | null;
}

/** Gauges of one number, and what they show. */
const NUMBERS: readonly { readonly name: string; readonly help: string; readonly of: (levels: Levels) => number }[] = [
  {
    name: 'ghostpipe_ready',
    help: '1 when the relay can carry blocks, else 0.',
    of: ({ health }) => Number(health.status === 'ready'),
  },
  {
    name: 'ghostpipe_uptime_seconds',
    help: 'Time since the relay started, by its monotonic clock.',
    of: ({ health }) => health.uptimeSeconds,
  },
  {
    name: 'ghostpipe_registered_devices',
    help: 'Devices registered now.',
    of: ({ health }) => health.registeredDevices ?? 0,
  },
  {
    name: 'ghostpipe_roster_devices',
    help: 'Devices that the roster lists.',
    of: ({ rosterDevices }) => rosterDevices,
  },
  {
    name: 'ghostpipe_roster_version',
    help: 'Version of the roster in force.',
    of: ({ health }) => health.rosterVersion ?? 0,
  },
  {
    name: 'ghostpipe_roster_not_in_file',
    help: '1 when a restart would begin with an older roster than the one in force, else 0.',
    of: ({ rosterNotInFile }) => Number(rosterNotInFile),
  },
  {
    name: 'ghostpipe_unrostered_revocations',
    help: 'Revocations that stand in no roster: a restart forgets them.',
    of: ({ unrostered }) => unrostered,
  },
  {
    name: 'ghostpipe_interval_seconds',
    help: 'Time between two blocks of a sender, by the sector profile.',
    of: ({ intervalSeconds }) => intervalSeconds,
  },
  {
    name: 'ghostpipe_oldest_block_age_seconds',
    help: 'For how long the oldest held block is held; 0 when none is.',
    of: ({ oldestBlockSeconds }) => oldestBlockSeconds,
  },
];

/** Adds the gauges to `registers`; `levels` is asked at each exposition. */
export function addLevelMetrics(registers: Registry<OpenMetricsContentType>[], levels: () => Levels): void {
  for (const { name, help, of } of NUMBERS) {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(of(levels()));
      },
    });
  }
  new Gauge({
    name: 'ghostpipe_slots',
    help: 'Block slots, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      const { slots = { free: 0, used: 0, burning: 0 } } = levels().health;
      for (const [state, count] of Object.entries(slots)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'ghostpipe_relay_info',
    help: 'Always 1: the software, and the epoch, which is new when what was held is gone.',
    labelNames: ['software', 'epoch'],
    registers,
    collect() {
      const { software, epoch = '' } = levels().health;
      this.set({ software, epoch }, 1);
    },
  });
}
