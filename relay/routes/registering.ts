/** How a device becomes a member: it proves who it is, and its place and the roster allow it. */
import { type Json, parseJson } from '../../protocol/canonical.ts';
import { apiKeyHash } from '../../protocol/identity.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { openRegistration, REGISTRATION_LIMIT, type Registration } from '../../protocol/registration.ts';
import type { Conduit } from '../conduit.ts';
import { registrationRecords } from '../log/site-changes.ts';
import { bearerKey, NotAuthenticated } from '../members/auth.ts';
import type { Member } from '../members/registry.ts';
import { documentFault } from '../monitor/event-log.ts';
import type { OpenExchange } from './route.ts';

/**
 * Registers the device whose registration `read` gives. Refuses `not-available` for what proves nothing, and who has
 * proved that he is a device of this site in its place `revoked`, `not-in-roster`, `statement-older`, `quota-exceeded`.
 */
export async function registered(
  conduit: Conduit,
  exchange: OpenExchange,
  read: () => Promise<Uint8Array>,
): Promise<Member> {
  const { roster, registry, activity, audit, log } = conduit;
  const { zone } = exchange;
  const registration = await proved(conduit, exchange, read);
  const entry = roster.member(registration.grant.did);
  if (entry && !zone.admits(entry.zone) && !roster.isSelf(entry.did)) {
    throw new Problem('not-available', `${entry.name} is of zone ${entry.zone} and registered in zone ${zone.name}`);
  }
  // The caller is a device of this site and in its place: it is told what is wrong.
  const before = registry.withDid(registration.grant.did)?.registration;
  const member = registry.register(registration);
  const { did, name } = member.device;
  for (const draft of registrationRecords(before, registration, member.device.zone)) audit.record(draft);
  activity.registered(did);
  log.info({ device: name, did, generation: registration.statement.generation }, 'registered');
  return member;
}

/**
 * Opens a registration and holds the grant against the API key; whatever fails is `not-available` to the caller. Its
 * signatures cost. A stranger does not know which devices there are, so one that names a device of the roster is let
 * pass although others behind its address have failed too often.
 */
async function proved(
  { engine, roster }: Conduit,
  { request, refuseSpent }: OpenExchange,
  read: () => Promise<Uint8Array>,
): Promise<Registration> {
  try {
    const apiKey = bearerKey(request.headers.authorization);
    const value = parseJson(await read(), REGISTRATION_LIMIT);
    const claimed = claimedDid(value);
    if (!roster.member(claimed)) refuseSpent();
    const trust = { operatorKeys: roster.grantKeys(claimed), siteId: roster.current.siteId };
    const registration = openRegistration(engine, value, trust);
    if (registration.grant.apiKeyHash !== apiKeyHash(engine, apiKey)) {
      throw new Problem('signature-invalid', 'the grant names another API key');
    }
    return registration;
  } catch (thrown) {
    throw new NotAuthenticated(`registration refused: ${documentFault(asProblem(thrown))}`);
  }
}

/** The DID that a registration claims: nothing of it is checked yet. */
function claimedDid(value: Json): string {
  const unproved = value as { readonly grant?: { readonly signed?: { readonly did?: unknown } } } | null;
  return String(unproved?.grant?.signed?.did);
}
