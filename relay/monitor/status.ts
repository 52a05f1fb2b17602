/**
 * What the management zone is shown of a relay: its health, facts in plain words, and every device of the roster. One
 * model with two renderings: the page `GET /`, and `GET /status.json` for `ghostpipe status`.
 */
import type { RosterDevice } from '../../protocol/roster.ts';
import type { Role, Zone } from '../../protocol/shapes.ts';
import type { Conduit } from '../conduit.ts';
import { logFacts } from '../log/log-state.ts';
import type { Health } from './health.ts';

/** One line about the relay for a person; a part of the relay that has something to say adds one. */
export interface Fact {
  readonly name: string;
  readonly value: string;
}

export interface DeviceStatus {
  readonly name: string;
  readonly did: string;
  readonly zone: Zone;
  readonly roles: readonly Role[];
  readonly registered: boolean;
  /** Seconds since it first registered in this run of the relay; null when it did not. */
  readonly registeredSeconds: number | null;
  /** Of a sender: seconds since its last block was accepted; null when none was since the relay started. */
  readonly lastBlockSeconds: number | null;
  /** Of a receiver: seconds since it last claimed; null when it did not since the relay started. */
  readonly lastClaimSeconds: number | null;
  /** Blocks of a sender that the relay holds. */
  readonly blocksHeld: number;
  /** Blocks that wait for a receiver. */
  readonly blocksWaiting: number;
}

export interface Status extends Health {
  /** What the site tells people before they use the relay. */
  readonly useNotice?: string;
  /** Seconds between two looks that are worth it: the sector's interval. */
  readonly intervalSeconds: number;
  readonly facts: readonly Fact[];
  readonly devices: readonly DeviceStatus[];
}

/** `conduit` is null while no site is configured, `useNotice` when the site has none. */
export function statusOf(
  health: Health,
  intervalSeconds: number,
  conduit: Conduit | null,
  useNotice: string | null,
): Status {
  const facts = [
    { name: 'Software', value: health.software },
    { name: 'Running for', value: inWords(health.uptimeSeconds) },
    ...(conduit ? siteFacts(conduit, health) : []),
  ];
  const devices = conduit ? devicesOf(conduit) : [];
  return { ...(useNotice === null ? {} : { useNotice }), ...health, intervalSeconds, facts, devices };
}

/** `seconds` as a person says it, in its two largest units: `3 h 12 min`. */
export function inWords(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts = [
    { count: Math.floor(whole / 86_400), unit: 'd' },
    { count: Math.floor(whole / 3600) % 24, unit: 'h' },
    { count: Math.floor(whole / 60) % 60, unit: 'min' },
    { count: whole % 60, unit: 's' },
  ];
  const first = parts.findIndex(({ count }) => count > 0);
  if (first < 0) return '0 s';
  const shown = parts.slice(first, first + 2).filter(({ count }) => count > 0);
  return shown.map(({ count, unit }) => `${count} ${unit}`).join(' ');
}

function siteFacts({ roster, activity, audit }: Conduit, { epoch, registeredDevices }: Health): Fact[] {
  const { siteName, version, profile, devices } = roster.current;
  const oldest = activity.oldestBlockMs;
  return [
    { name: 'Site', value: siteName },
    { name: 'Roster version', value: String(version) },
    { name: 'Devices registered', value: `${registeredDevices} of ${devices.length}` },
    { name: 'Block', value: `${profile.blockSize} bytes, one each ${profile.intervalMs / 1000} s` },
    { name: 'Oldest block held', value: oldest === null ? 'none is held' : inWords(oldest / 1000) },
    { name: 'Epoch', value: epoch! },
    ...logFacts(audit.state),
  ];
}

/** The devices of the roster, in its order. */
export function devicesOf(conduit: Conduit): DeviceStatus[] {
  const held = new Map<string, number>();
  const waiting = new Map<string, number>();
  for (const { sender, views } of conduit.deliveries.held()) {
    count(held, sender);
    for (const { recipient, state } of views.values()) if (state === 'waiting') count(waiting, recipient);
  }
  return conduit.roster.current.devices.map((device) => deviceStatus(conduit, device, { held, waiting }));
}

function deviceStatus(
  { registry, activity }: Conduit,
  { name, did, zone, roles }: RosterDevice,
  { held, waiting }: Readonly<Record<'held' | 'waiting', ReadonlyMap<string, number>>>,
): DeviceStatus {
  const { blockMs, claimMs, registeredMs } = activity.ages(did);
  return {
    name,
    did,
    zone,
    roles,
    registered: registry.has(did),
    registeredSeconds: wholeSeconds(registeredMs),
    lastBlockSeconds: wholeSeconds(blockMs),
    lastClaimSeconds: wholeSeconds(claimMs),
    blocksHeld: held.get(did) ?? 0,
    blocksWaiting: waiting.get(did) ?? 0,
  };
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function wholeSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.floor(ms / 1000);
}
