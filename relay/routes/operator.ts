/** The operator's calls. When one is done, registrations and waiting blocks follow at once. */
import type { AnsweredCode } from '../../protocol/problem.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { ROSTER } from '../../protocol/roster.ts';
import { type Conduit, enforceRoster } from '../conduit.ts';
import { revocationRecord, rosterRecords } from '../log/site-changes.ts';
import { describe, json, type OpenRoute } from './route.ts';
import { SignedCall } from './signed-call.ts';

/** Refusals that come after the operator's signature held: their cause is told. */
const TOLD: readonly AnsweredCode[] = ['roster-older', 'profile-mismatch', 'quota-exceeded'];

export function operatorRoutes(conduit: Conduit): OpenRoute[] {
  const calls = new SignedCall(conduit, TOLD);
  const signed = (what: string) => json(what, { signed: {}, signatures: {} });
  return [
    {
      call: 'roster-publish',
      method: 'POST',
      url: '/v2/roster',
      allowed: 'anyone',
      schema: describe('Publish a newer roster, signed by the operator.', {
        open: true,
        body: signed('The signed roster in canonical form.'),
        response: { 200: json('The version in force.', { version: { type: 'integer' } }) },
      }),
      handle: (exchange) =>
        calls.handle(exchange, ROSTER.limit, (bytes) => {
          const before = conduit.roster.current;
          const roster = conduit.roster.publish(bytes);
          for (const draft of rosterRecords(before, roster, operatorOf(conduit))) conduit.audit.record(draft);
          const { version } = roster;
          enforceRoster(conduit);
          conduit.log.info({ version }, 'roster in force');
          return { version };
        }),
    },
    {
      call: 'revoke',
      method: 'POST',
      url: '/v2/revoke',
      allowed: 'anyone',
      schema: describe('Revoke a device or an API key, signed by the operator or by the device itself.', {
        open: true,
        body: signed('The signed revocation in canonical form.'),
        response: { 200: json('Done.') },
      }),
      handle: (exchange) =>
        calls.handle(exchange, REVOCATION.limit, (bytes) => {
          const { did, what, by } = conduit.roster.revoke(bytes, (wanted) => {
            const registration = conduit.registry.withDid(wanted)?.registration;
            return registration && { keys: registration.keys, apiKeyHash: registration.grant.apiKeyHash };
          });
          const src = by === 'operator' ? operatorOf(conduit) : ({ id: did, k: 'device' } as const);
          conduit.audit.record(revocationRecord({ did, what }, src));
          enforceRoster(conduit);
          conduit.log.info({ did, what, by }, 'revoked');
          return {};
        }),
    },
  ];
}

function operatorOf({ config }: Conduit) {
  return { id: config.site!.operatorKeyHash, k: 'operator' } as const;
}
