/** The changes that an operator makes to a roster, as pure functions from one roster to the next. */
import type { Hasher } from '../../protocol/merkle.ts';
import { parseVerifierKey } from '../../protocol/note-key.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { isRevoked, type RevokedEntry } from '../../protocol/revocation.ts';
import { deviceNamed, lanesNeeded, type Roster, type RosterDevice } from '../../protocol/roster.ts';
import { originText } from '../../protocol/shapes.ts';
import { usageCheck } from './options.ts';

/** Where a device's readings go, and the groups that it belongs to. */
export interface Placement {
  /** Names of devices and groups; empty for a device without a route. */
  readonly to: readonly string[];
  /** How many of the recipients may read each block; all when it is left out. */
  readonly views?: number;
  readonly groups: readonly string[];
}

/** The roster with a further device. Refuses `already-exists` and, for a name that leads nowhere, `usage`. */
export function withDevice(roster: Roster, device: RosterDevice, placement: Placement): Roster {
  const { name } = device;
  if (roster.devices.some((entry) => entry.name === name) || Object.hasOwn(roster.groups, name)) {
    throw new Problem('already-exists', `site ${roster.siteName} has a device or group "${name}"`);
  }
  const devices = [...roster.devices, device];
  const groups = { ...roster.groups };
  for (const group of placement.groups) groups[group] = [...(ownGroup(roster, group) ?? []), name];
  return withLanes({ ...roster, devices, groups, routes: [...roster.routes, ...routesFrom(roster, name, placement)] });
}

/** Never fewer lanes: who has left may come back. */
function withLanes(roster: Roster): Roster {
  const { profile } = roster;
  return { ...roster, profile: { ...profile, lanesDown: Math.max(profile.lanesDown, lanesNeeded(roster)) } };
}

/** The roster without the device, which is revoked for ever. Refuses `not-in-roster`. */
export function withoutDevice(roster: Roster, name: string): Roster {
  const { did } = deviceNamed(roster, name);
  const others = (names: readonly string[]) => names.filter((entry) => entry !== name);
  return {
    ...roster,
    devices: roster.devices.filter((entry) => entry.name !== name),
    groups: Object.fromEntries(Object.entries(roster.groups).map(([group, members]) => [group, others(members)])),
    routes: roster.routes
      .filter((route) => route.from !== name)
      .map((route) => ({ ...route, to: others(route.to) }))
      .filter((route) => route.to.length > 0),
    revocations: withRevocation(roster, { did, what: 'device' }),
  };
}

/** The roster in which `name` is another device: the old one is revoked, route and groups stay. */
export function withReplacedDevice(roster: Roster, name: string, did: string): Roster {
  const old = deviceNamed(roster, name);
  return {
    ...roster,
    devices: roster.devices.map((entry) => (entry === old ? { ...entry, did } : entry)),
    revocations: withRevocation(roster, { did: old.did, what: 'device' }),
  };
}

/** The roster in which one API key of a device is revoked. */
export function withRevokedKey(roster: Roster, did: string, apiKeyHash: string): Roster {
  return { ...roster, revocations: withRevocation(roster, { did, what: 'api-key', apiKeyHash }) };
}

/**
 * The roster with a further cosigner of the audit log, or with another key of the one of that name. Refuses `usage` for
 * what is no ML-DSA verifier key (C2SP signed-note).
 */
export function withCosigner(hasher: Hasher, roster: Roster, name: string, key: string): Roster {
  const { algorithm, name: keyName } = verifierKey(hasher, key);
  usageCheck(originText, keyName, 'KEY: its name'); // it stands in log records
  if (algorithm === 'ed25519')
    throw new Problem('usage', `KEY: an ${algorithm} key is not safe for decades, use ML-DSA`);
  const others = roster.cosigners.filter((entry) => entry.name !== name);
  return { ...roster, cosigners: [...others, { name, key }] };
}

/** The roster without that cosigner. Refuses `not-in-roster`. */
export function withoutCosigner(roster: Roster, name: string): Roster {
  const cosigners = roster.cosigners.filter((entry) => entry.name !== name);
  if (cosigners.length < roster.cosigners.length) return { ...roster, cosigners };
  throw new Problem('not-in-roster', `"${name}" is not a cosigner of site ${roster.siteName}`);
}

function verifierKey(hasher: Hasher, key: string): ReturnType<typeof parseVerifierKey> {
  try {
    return parseVerifierKey(hasher, key);
  } catch (thrown) {
    throw new Problem('usage', `KEY: ${asProblem(thrown).detail}`);
  }
}

function withRevocation(roster: Roster, entry: RevokedEntry): readonly RevokedEntry[] {
  const known = isRevoked(roster.revocations, entry.did, entry.apiKeyHash);
  return known ? roster.revocations : [...roster.revocations, entry];
}

function routesFrom(roster: Roster, from: string, { to, views }: Placement): Roster['routes'] {
  if (to.length === 0) return [];
  for (const name of to) refuseDeadEnd(roster, name);
  return [{ from, to, ...(views === undefined ? {} : { views }) }];
}

function refuseDeadEnd(roster: Roster, name: string): void {
  if (ownGroup(roster, name)) return;
  const device = roster.devices.find((entry) => entry.name === name);
  if (!device) {
    throw new Problem('usage', `--to ${name}: site ${roster.siteName} has no such device or group, enrol it first`);
  }
  if (!device.roles.includes('receive')) throw new Problem('usage', `--to ${name}: this device has no role "receive"`);
}

function ownGroup(roster: Roster, name: string): readonly string[] | undefined {
  return Object.hasOwn(roster.groups, name) ? roster.groups[name] : undefined;
}
