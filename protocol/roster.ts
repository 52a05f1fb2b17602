/**
 * Roster: the one document that says who belongs to a site, signed by its operator.
 *
 * Clients resolve names, groups, routes and senders only here, and never in a lower version than they have seen. The
 * relay carries and enforces it but cannot change it.
 */
import { isBlockSize } from './block.ts';
import { CONTROL_BYTES } from './control.ts';
import type { Engine, VerifyingKeys } from './engine/engine.ts';
import { keysFromText, operatorKeyHash } from './identity.ts';
import { Problem } from './problem.ts';
import { revokedEntry } from './revocation.ts';
import { integer, list, type Of, object, oneOf, record, type Shape, text } from './shape.ts';
import { didText, nameText, role, siteIdText, timeMs, verifyingKeys, version1, zone } from './shapes.ts';
import { type DocumentKind, openDocumentBytes } from './signed.ts';
import { MAX_LANES } from './slot-plan.ts';

export const MAX_DEVICES = 1024;
/** Most recipients of one route: one stanza each. */
export const MAX_RECIPIENTS = 256;

const blockSize: Shape<number> = (value, path) => {
  if (!Number.isSafeInteger(value) || !isBlockSize(value as number)) {
    throw new Problem('schema-invalid', `${path} must be a multiple of 65536 from 65536 to 16777216`, path);
  }
  return value as number;
};

/** What all devices of the sector have in common: a device of its own profile would be a fingerprint. */
export const sectorProfile = object({
  blockSize,
  intervalMs: integer(100, 3_600_000),
  lanesUp: integer(1, MAX_LANES),
  lanesDown: integer(1, MAX_LANES),
  controlSize: oneOf([CONTROL_BYTES]),
  logQuantum: integer(1, 65_536),
});
export type SectorProfile = Of<typeof sectorProfile>;

const device = object({ name: nameText, did: didText, roles: list(role, 1, 5, String), zone });
export type RosterDevice = Of<typeof device>;

/** A default route: `to` names devices or groups; `views` of them may read each block (all when it is left out). */
const route = object(
  { from: nameText, to: list(nameText, 1, MAX_RECIPIENTS, String) },
  { views: integer(1, MAX_RECIPIENTS) },
);
export type Route = Of<typeof route>;

const body = object({
  v: version1,
  siteId: siteIdText,
  siteName: nameText,
  version: integer(1, 0xffff_ffff),
  issuedMs: timeMs,
  operator: verifyingKeys,
  profile: sectorProfile,
  devices: list(device, 0, MAX_DEVICES, (entry) => entry.name),
  groups: record(nameText, list(nameText, 0, MAX_DEVICES, String), 256),
  routes: list(route, 0, MAX_DEVICES, (entry) => entry.from),
  cosigners: list(object({ name: nameText, key: text('a verifier key', 1, 4096) }), 0, 16, (entry) => entry.name),
  revocations: list(revokedEntry, 0, 4096),
});
export type Roster = Of<typeof body>;

export const ROSTER: DocumentKind<Roster> = { label: 'ghostpipe/roster/v1', body, limit: 1_048_576 };

/** What a client or relay holds a roster against. */
export interface RosterTrust {
  /** The pin of the operator key. */
  readonly operatorKeyHash: string;
  readonly siteId: string;
  /** The highest version seen; 0 for none. */
  readonly minVersion: number;
}

/**
 * Opens a roster that anybody may have carried here. Refuses `operator-mismatch`, `signature-invalid`,
 * `site-mismatch`, `roster-older` and, for names that lead nowhere, `schema-invalid`.
 */
export function openRoster(engine: Engine, bytes: Uint8Array, trust: RosterTrust): Roster {
  const roster = openDocumentBytes(engine, ROSTER, bytes, (unproved) => pinnedKeys(unproved, trust.operatorKeyHash));
  if (roster.siteId !== trust.siteId) {
    throw new Problem('site-mismatch', `the roster is of site ${roster.siteId}, expected ${trust.siteId}`);
  }
  if (roster.version < trust.minVersion) {
    throw new Problem('roster-older', `the roster has version ${roster.version}, ${trust.minVersion} was seen before`);
  }
  refuseLooseNames(roster);
  return roster;
}

/** The operator's verification keys, as the roster carries them. Only of an opened roster. */
export function operatorKeys(roster: Roster): VerifyingKeys {
  return keysFromText(roster.operator);
}

/** The device of that name; refuses `not-in-roster`. */
export function deviceNamed(roster: Roster, name: string): RosterDevice {
  const found = roster.devices.find((entry) => entry.name === name);
  if (!found) throw new Problem('not-in-roster', `"${name}" is not a device of site ${roster.siteName}`);
  return found;
}

/** The device with that DID, if it is in the roster. */
export function deviceWithDid(roster: Roster, did: string): RosterDevice | undefined {
  return roster.devices.find((entry) => entry.did === did);
}

export interface ResolvedRoute {
  /** Receivers, each once, in roster order. */
  readonly recipients: readonly RosterDevice[];
  readonly views: number;
}

/** The receivers that the roster lets `sender` reach; refuses `not-routed` when there is no route. */
export function routeOf(roster: Roster, sender: string): ResolvedRoute {
  const found = roster.routes.find((entry) => entry.from === sender);
  if (!found) throw new Problem('not-routed', `the roster has no route from "${sender}"`);
  const recipients = expand(roster, found.to);
  if (recipients.length === 0) throw new Problem('not-routed', `the route from "${sender}" leads to no receiver`);
  return { recipients, views: Math.min(found.views ?? recipients.length, recipients.length) };
}

/** The part of `sender`'s route that leads to the named devices or groups; refuses `not-routed`. */
export function narrowedRoute(roster: Roster, sender: string, names: readonly string[]): ResolvedRoute {
  const allowed = routeOf(roster, sender);
  const wanted = expand(roster, names);
  const stranger = wanted.find((entry) => !allowed.recipients.includes(entry));
  if (stranger) throw new Problem('not-routed', `the roster has no route from "${sender}" to "${stranger.name}"`);
  if (wanted.length === 0) throw new Problem('not-routed', `"${names.join(', ')}" names no receiver`);
  return { recipients: wanted, views: wanted.length };
}

/** The senders whose route leads to `receiver`. */
export function sendersTo(roster: Roster, receiver: string): RosterDevice[] {
  const senders = roster.routes.filter(({ to }) => expand(roster, to).some(({ name }) => name === receiver));
  return senders.map(({ from }) => deviceNamed(roster, from)).filter(({ roles }) => roles.includes('send'));
}

/** The devices whose keys the device of that name needs: those that it sends to, and those that send to it. */
export function peersOf(roster: Roster, name: string): RosterDevice[] {
  const route = roster.routes.find(({ from }) => from === name);
  const recipients = route ? expand(roster, route.to) : [];
  return [...new Set([...recipients, ...sendersTo(roster, name)])];
}

/**
 * How many claims in each slot a sector needs, so that no receiver falls behind and each catches up after an outage: a
 * quarter more than the blocks that the busiest of them gets. At most 64.
 */
export function lanesNeeded(roster: Roster): number {
  const busiest = Math.max(1, ...roster.devices.map(({ name }) => sendersTo(roster, name).length));
  return Math.min(MAX_LANES, Math.ceil(1.25 * busiest * roster.profile.lanesUp));
}

/** Devices behind names of devices and groups that may receive. */
function expand(roster: Roster, names: readonly string[]): RosterDevice[] {
  const wanted = new Set(names.flatMap((name) => groupMembers(roster, name) ?? [deviceNamed(roster, name).name]));
  return roster.devices.filter((entry) => wanted.has(entry.name) && entry.roles.includes('receive'));
}

function groupMembers(roster: Roster, name: string): readonly string[] | undefined {
  return Object.hasOwn(roster.groups, name) ? roster.groups[name] : undefined;
}

function pinnedKeys(unproved: Roster, pin: string): VerifyingKeys {
  const keys = keysFromText(unproved.operator);
  const actual = operatorKeyHash(keys);
  if (actual !== pin) throw new Problem('operator-mismatch', `the operator key is ${actual}, the pin is ${pin}`);
  return keys;
}

/** Names in groups and routes must be devices (or, in routes, groups), and no group may be called like a device. */
function refuseLooseNames(roster: Roster): void {
  const devices = new Set(roster.devices.map((entry) => entry.name));
  for (const [group, members] of Object.entries(roster.groups)) {
    if (devices.has(group))
      throw new Problem('schema-invalid', `"${group}" is a device and a group`, `groups.${group}`);
    const loose = members.find((name) => !devices.has(name));
    if (loose) throw new Problem('schema-invalid', `"${loose}" is not a device`, `groups.${group}`);
  }
  for (const [i, { from, to }] of roster.routes.entries()) {
    const loose = [from, ...to].find((name) => !devices.has(name) && !(name !== from && groupMembers(roster, name)));
    if (loose) throw new Problem('schema-invalid', `"${loose}" is not a device or group`, `routes[${i}]`);
  }
}
