/** What of a plan is beyond the link, the board or the relay's configuration: each with both values and how to mend it. */
import type { Call } from '../../../protocol/config.ts';
import type { Role } from '../../../protocol/shapes.ts';
import { BOARDS } from './boards.ts';
import { sum, totalLanes } from './lanes.ts';
import type { Plan } from './model.ts';
import { areSeparated, serves, type ZonePart } from './zones.ts';

export interface Excess {
  readonly what: 'link' | 'processor' | 'memory' | 'slots' | 'connections' | 'log' | 'listener';
  /** A sentence with both values. */
  readonly fact: string;
  readonly mend: string;
}

const MIB = 2 ** 20;
/** A block goes out over this part of the interval, so the link must carry the load in it. */
const WRITING_SHARE = 0.6;

/** The quantum of the log shall be so many times what is planned. */
const QUANTUM_MARGIN = 1.5;

/** What logQuantum should be at least for so many records between two heads. */
export function quantumFor(recordsAHead: number): number {
  return Math.ceil(recordsAHead * QUANTUM_MARGIN);
}

/** Every excess of a plan; none when it holds. */
export function excessesOf(plan: Plan): Excess[] {
  return [
    ...unserved(plan),
    ...links(plan),
    ...processor(plan),
    ...slots(plan),
    ...memory(plan),
    ...connections(plan),
    ...log(plan),
  ];
}

/** Devices whose zone has no listener for what their role needs. */
function unserved({ zones }: Plan): Excess[] {
  const needs: readonly (readonly [Role, Call])[] = [
    ['send', 'inbound'],
    ['receive', 'claim'],
  ];
  return zones.flatMap((part) =>
    part.devices.flatMap(({ device }) =>
      needs
        .filter(([role, call]) => device.roles.includes(role) && !isServed(zones, part, call))
        .map(([role, call]) => ({
          what: 'listener' as const,
          fact: `${device.name} of zone ${part.zone} has the role ${role}, and no listener of ${part.zone} serves ${call}`,
          mend: `Enrol it in the zone whose listener serves ${call}, or open that conduit in relay.yaml.`,
        })),
    ),
  );
}

/** A relay whose data listeners are all in one zone serves every device there. */
function isServed(zones: readonly ZonePart[], own: ZonePart, call: Call): boolean {
  return areSeparated(zones) ? serves(own, call) : zones.some((part) => serves(part, call));
}

function links({ links, linkMbit }: Plan): Excess[] {
  return links.flatMap(({ name, zones, toRelayMbit, fromRelayMbit }) => {
    const busier = Math.max(toRelayMbit, fromRelayMbit);
    const usable = linkMbit * WRITING_SHARE;
    if (busier <= usable) return [];
    const direction = toRelayMbit > fromRelayMbit ? 'to' : 'from';
    return {
      what: 'link',
      fact: `link ${name} (${zones.join(', ')}) has ${busier.toFixed(1)} Mbit/s ${direction} the relay; of ${linkMbit} Mbit/s ${usable.toFixed(1)} can be used, as a block goes out in ${WRITING_SHARE} of an interval`,
      mend: 'Make the interval longer or the block smaller for the whole sector, take a faster link, or spread zones over links.',
    };
  });
}

function processor({ board, blockMBs }: Plan): Excess[] {
  const limit = BOARDS[board].blockMBs;
  if (blockMBs <= limit) return [];
  return [
    {
      what: 'processor',
      fact: `${blockMBs.toFixed(1)} MB/s of blocks go in and out, ${board} carries ${limit} MB/s`,
      mend: 'Make the interval longer for the whole sector, take a stronger board, or give the site a second relay.',
    },
  ];
}

function slots({ store, slots, absentMinutes }: Plan): Excess[] {
  if (slots.needed <= store.slots) return [];
  const away = slots.receiver === null ? '' : `, ${slots.receiver} being away for ${absentMinutes} min`;
  return [
    {
      what: 'slots',
      fact: `${slots.needed} slots are needed${away}; the relay has ${store.slots}`,
      mend: `Write store.slots: ${slots.needed} into relay.yaml, or plan a shorter absence with --absent: senders keep what the relay cannot hold.`,
    },
  ];
}

function memory({ board, store, slots, profile }: Plan): Excess[] {
  const limit = BOARDS[board].blockMiB;
  const mib = (Math.max(store.slots, slots.needed) * profile.blockSize) / MIB;
  if (mib <= limit) return [];
  const most = Math.floor((limit * MIB) / profile.blockSize);
  return [
    {
      what: 'memory',
      fact: `${Math.max(store.slots, slots.needed)} slots take ${Math.ceil(mib)} MiB, ${board} has ${limit} MiB for blocks`,
      mend: `Use at most ${most} slots on this board and plan a shorter absence with --absent, or take a board with more memory.`,
    },
  ];
}

/** A quantum of 1 is none; beyond another one blocks are refused at last. */
function log({ log: { recordsAHead }, profile: { logQuantum } }: Plan): Excess[] {
  if (logQuantum === 1 || recordsAHead <= logQuantum) return [];
  const fact = `${recordsAHead} log records come between two heads, logQuantum is ${logQuantum}`;
  return [
    {
      what: 'log',
      fact,
      mend: `Make the site with --log-quantum ${quantumFor(recordsAHead)}, or its interval longer.`,
    },
  ];
}

/** A connection for each lane, and one for registration. */
function connections({ zones, lanes, limits }: Plan): Excess[] {
  const ofDevices = lanes.flatMap(({ device, up, down }): Excess[] => {
    const needed = up + down + 1;
    if (needed <= limits.connectionsPerPeer) return [];
    const fact = `${device.name} needs ${needed} connections, the relay gives a device ${limits.connectionsPerPeer}`;
    return [{ what: 'connections', fact, mend: `Write limits.connectionsPerPeer: ${needed} into relay.yaml.` }];
  });
  const ofZones = zones.flatMap((part): Excess[] => {
    const { up, down } = totalLanes(part.devices);
    const needed = up + down + part.devices.length;
    const given = sum(part.listeners.map(() => limits.connections));
    if (needed <= given || part.listeners.length === 0) return [];
    const fact = `the devices of zone ${part.zone} need ${needed} connections, its listeners give ${given}`;
    return [{ what: 'connections', fact, mend: `Write limits.connections: ${needed} into relay.yaml.` }];
  });
  return [...ofDevices, ...ofZones];
}
