/** The zones of a plan: what listens in each, who lives there, and over which link it is reached. */
import { isIPv6 } from 'node:net';
import { type Call, DATA_CALLS, type ListenerConfig, type RelayConfig } from '../../../protocol/config.ts';
import { ZONES, type Zone } from '../../../protocol/shapes.ts';
import type { DeviceLanes } from './lanes.ts';
import type { Family } from './wire.ts';

export interface ZonePart {
  readonly zone: Zone;
  /** The relay's interface in this zone; null while nobody has named it. */
  readonly interface: string | null;
  readonly listeners: readonly ListenerConfig[];
  readonly devices: readonly DeviceLanes[];
}

export type Interfaces = Readonly<Partial<Record<Zone, string>>>;

/** The parts of OT, IT and management, in this order. */
export function zonePartsOf(
  { listeners }: RelayConfig,
  lanes: readonly DeviceLanes[],
  interfaces: Interfaces,
): ZonePart[] {
  return ZONES.map((zone) => ({
    zone,
    interface: interfaces[zone] ?? null,
    listeners: listeners.filter((listener) => listener.zone === zone),
    devices: lanes.filter(({ device }) => device.zone === zone),
  }));
}

/**
 * Name of the link by which a zone reaches the relay: the network card (a VLAN `eth0.20` is one of `eth0`), or while no
 * interface is named the address. Zones with the same name share it. Null for a zone without listeners.
 */
export function linkNameOf({ interface: name, listeners }: ZonePart): string | null {
  return name?.split('.')[0] ?? listeners[0]?.address ?? null;
}

/** Whether the relay keeps zones apart: it does when data calls are served in more than one. */
export function areSeparated(zones: readonly ZonePart[]): boolean {
  return zones.filter(({ listeners }) => listeners.some(carriesData)).length > 1;
}

function carriesData({ calls }: ListenerConfig): boolean {
  return calls.some((call) => DATA_CALLS.includes(call));
}

/** Whether a listener of the zone serves the call. */
export function serves({ listeners }: ZonePart, call: Call): boolean {
  return listeners.some(({ calls }) => calls.includes(call));
}

/** IPv6 when any listener of the zone has such an address: it takes a little more on the wire. */
export function familyOf({ listeners }: ZonePart): Family {
  return listeners.some(({ address }) => isIPv6(address)) ? 6 : 4;
}

/** The part of that zone; every plan has all three. */
export function zonePart(zones: readonly ZonePart[], zone: Zone): ZonePart {
  return zones.find((part) => part.zone === zone)!;
}
