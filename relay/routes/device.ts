/** What every device needs before data flows: to be registered, others' keys, the roster. */
import { CONTROL_BYTES } from '../../protocol/control.ts';
import { didDocument } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { REGISTRATION_LIMIT } from '../../protocol/registration.ts';
import { toHex } from '../../protocol/text.ts';
import { bodyMs, type Conduit } from '../conduit.ts';
import { readBody } from '../http/body.ts';
import { membership } from './membership.ts';
import { registered } from './registering.ts';
import { describe, json, type OpenExchange, octets, parameter, type Route, requireType, strings } from './route.ts';

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
      call: 'membership',
      method: 'POST',
      url: '/v2/membership',
      allowed: 'anyone',
      schema: describe('Register, and learn what is new of roster and keys; one frame up, one down.', {
        body: octets('A control frame: registration, then what the device has.', CONTROL_BYTES),
        response: { 200: octets('A control frame: epoch, then a problem, or roster and keys.', CONTROL_BYTES) },
      }),
      handle: (exchange) => membership(conduit, exchange),
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
  const { roster } = conduit;
  const { device } = await registered(conduit, exchange, () => {
    requireType(exchange.request, 'application/json');
    return readBody(exchange.request.raw, REGISTRATION_LIMIT, bodyMs(conduit));
  });
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

const REGISTERED = {
  did: { type: 'string' },
  name: { type: 'string' },
  roles: { type: 'array', items: { type: 'string' } },
  zone: { type: 'string' },
  siteId: { type: 'string' },
  rosterVersion: { type: 'integer' },
  epoch: { type: 'string' },
};
