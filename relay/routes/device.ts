/** What every device needs before data flows: to be registered, others' keys, the roster. */
import { type Json, parseJson } from '../../protocol/canonical.ts';
import { apiKeyHash, didDocument } from '../../protocol/identity.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { openRegistration, REGISTRATION_LIMIT, type Registration } from '../../protocol/registration.ts';
import { operatorKeys } from '../../protocol/roster.ts';
import { toHex } from '../../protocol/text.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { readBody } from '../http/body.ts';
import { registrationRecords } from '../log/site-changes.ts';
import { bearerKey, NotAuthenticated } from '../members/auth.ts';
import { documentFault } from '../monitor/event-log.ts';
import { describe, json, type OpenExchange, parameter, type Route, requireType, strings } from './route.ts';

export function deviceRoutes(conduit: Conduit): Route[] {
  return [
    {
      call: 'register',
      method: 'POST',
      url: '/v2/did/register',
      allowed: 'anyone',
      schema: describe('Register a device with its grant; the API key must be the one that the grant names.', {
        body: json('Identity document, grant, key statement.', { identity: {}, grant: {}, keyStatement: {} }),
        response: { 200: json('What the roster says of the device.', REGISTERED) },
      }),
      handle: (exchange) => register(conduit, exchange),
    },
    {
      call: 'did',
      method: 'GET',
      url: '/v2/did/:did',
      allowed: 'device',
      schema: describe('Identity, DID document (W3C DID Core) and key statement of a registered device.', {
        params: strings({ did: '^did:paramant:[1-9A-HJ-NP-Za-km-z]+$' }),
        response: { 200: json('To be verified by who asked.', { identity: {}, didDocument: {}, keyStatement: {} }) },
      }),
      handle({ request }) {
        const found = conduit.registry.withDid(parameter(request, 'did'));
        if (!found) throw new Problem('not-available', 'no device with this identifier is registered');
        const { identity, statementDocument } = found.registration;
        return { identity, didDocument: didDocument(identity), keyStatement: statementDocument };
      },
    },
    {
      call: 'roster',
      method: 'GET',
      url: '/v2/roster',
      allowed: 'device',
      schema: describe('The roster in force, byte for byte as the operator signed it.', {
        response: { 200: json('The signed roster.', { signed: {}, signatures: {} }) },
      }),
      handle: ({ reply }) => reply.header('content-type', 'application/json').send(Buffer.from(conduit.roster.bytes)),
    },
  ];
}

async function register(conduit: Conduit, exchange: OpenExchange): Promise<object> {
  const { roster, registry, activity, audit, log } = conduit;
  const { zone } = exchange;
  const registration = await proved(conduit, exchange);
  const entry = roster.member(registration.grant.did);
  if (entry && !zone.admits(entry.zone)) {
    throw new Problem('not-available', `${entry.name} is of zone ${entry.zone} and registered in zone ${zone.name}`);
  }
  // The caller is a device of this site and in its place: it is told what is wrong.
  const before = registry.withDid(registration.grant.did)?.registration;
  const { device } = registry.register(registration);
  for (const draft of registrationRecords(before, registration, device.zone)) audit.record(draft);
  activity.registered(device.did);
  log.info({ device: device.name, did: device.did, generation: registration.statement.generation }, 'registered');
  return {
    did: device.did,
    name: device.name,
    roles: device.roles,
    zone: device.zone,
    siteId: roster.current.siteId,
    rosterVersion: roster.current.version,
    epoch: toHex(conduit.epoch),
  };
}

/**
 * Opens a registration and holds the grant against the API key; whatever fails is `not-available` to the caller. Its
 * signatures cost. A stranger does not know which devices there are, so one that names a device of the roster is let
 * pass although others behind its address have failed too often.
 */
async function proved(conduit: Conduit, { request, refuseSpent }: OpenExchange): Promise<Registration> {
  const { engine, roster } = conduit;
  try {
    const apiKey = bearerKey(request.headers.authorization);
    requireType(request, 'application/json');
    const value = parseJson(await readBody(request.raw, REGISTRATION_LIMIT, bodyMs(conduit)), REGISTRATION_LIMIT);
    if (!roster.member(claimedDid(value))) refuseSpent();
    const trust = { operatorKeys: operatorKeys(roster.current), siteId: roster.current.siteId };
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

const REGISTERED = {
  did: { type: 'string' },
  name: { type: 'string' },
  roles: { type: 'array', items: { type: 'string' } },
  zone: { type: 'string' },
  siteId: { type: 'string' },
  rosterVersion: { type: 'integer' },
  epoch: { type: 'string' },
};
