/**
 * Who may make a call: the one gate in front of every call that needs a key. Whoever is turned away gets
 * `not-available`; the detail of that problem is for the relay's log only.
 */
import { DATA_CALLS, type ListenerConfig } from '../../protocol/config.ts';
import { API_KEY_PATTERN } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Role, Zone } from '../../protocol/shapes.ts';
import type { Member, Registry } from './registry.ts';

/** The refusal of a caller that showed an API key, or a registration, and may not make this call. */
export class NotAuthenticated extends Problem {
  constructor(detail: string) {
    super('not-available', detail);
  }
}

/** `device` is any registered device, a role is a device that the roster gives that role. */
export type Allowed = 'device' | Role;

/** The registered device whose API key a request carries, whatever it may do; undefined when there is none. */
export function deviceBehind(registry: Registry | null, authorization: string | undefined): Member | undefined {
  try {
    return registry?.withApiKey(bearerKey(authorization));
  } catch {
    return undefined;
  }
}

/** The API key of a request; refuses `not-available` when there is none of that form. */
export function bearerKey(authorization: string | undefined): string {
  const key = authorization?.startsWith('Bearer ') ? authorization.slice('Bearer '.length) : '';
  if (!API_KEY_PATTERN.test(key)) throw new Problem('not-available', 'the request carries no API key');
  return key;
}

/** The registered device behind an API key, if it may make the call in this zone; refuses `not-available`. */
export function authenticate(
  registry: Registry,
  authorization: string | undefined,
  allowed: Allowed,
  zone: ZoneGate,
): Member {
  const member = registry.withApiKey(bearerKey(authorization));
  if (!member) throw new NotAuthenticated('the API key belongs to no registered device');
  const { device } = member;
  if (!zone.admits(device.zone) && !registry.isSelf(device.did)) {
    throw new NotAuthenticated(`${device.name} is of zone ${device.zone} and called in zone ${zone.name}`);
  }
  if (allowed !== 'device' && !device.roles.includes(allowed)) {
    throw new NotAuthenticated(`${device.name} lacks the role ${allowed}`);
  }
  return member;
}

/** Which devices a listener serves. */
export interface ZoneGate {
  readonly name: Zone;
  admits(zone: Zone): boolean;
}

/**
 * The gate of a listener. With data listeners in several zones each serves the devices of its own zone only; a relay
 * whose data listeners are all in one zone does not separate zones, and serves every device.
 */
export function zoneGate(listener: ListenerConfig, all: readonly ListenerConfig[]): ZoneGate {
  const carrying = all.filter(({ calls }) => calls.some((call) => DATA_CALLS.includes(call)));
  const separated = new Set(carrying.map(({ zone }) => zone)).size > 1;
  return { name: listener.zone, admits: (zone) => !separated || zone === listener.zone };
}
