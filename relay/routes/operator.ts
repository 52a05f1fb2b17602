/** The operator's calls. Signatures authorise them and nothing else, so that any machine may carry a document here. */
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { ROSTER } from '../../protocol/roster.ts';
import { readBody } from '../body.ts';
import { bodyMs, type Conduit, enforceRoster } from '../conduit.ts';
import { documentFault } from '../log.ts';
import { describe, type Exchange, json, type OpenRoute } from './route.ts';

/** Refusals that come after the operator's signature held: their cause is told. */
const TOLD: readonly ProblemCode[] = ['roster-older', 'profile-mismatch', 'quota-exceeded'];

export function operatorRoutes(conduit: Conduit): OpenRoute[] {
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
        signedCall(conduit, exchange, ROSTER.limit, (bytes) => {
          const { version } = conduit.roster.publish(bytes);
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
        signedCall(conduit, exchange, REVOCATION.limit, (bytes) => {
          const { did, what, by } = conduit.roster.revoke(bytes, (wanted) => {
            const registration = conduit.registry.withDid(wanted)?.registration;
            return registration && { keys: registration.keys, apiKeyHash: registration.grant.apiKeyHash };
          });
          conduit.log.info({ did, what, by }, 'revoked');
          return {};
        }),
    },
  ];
}

/** Reads a document and lets `apply` take it; then registrations and waiting blocks follow at once. */
async function signedCall(
  conduit: Conduit,
  { request }: Exchange,
  limit: number,
  apply: (bytes: Uint8Array) => object,
): Promise<object> {
  try {
    const answer = apply(await readBody(request.raw, limit, bodyMs(conduit)));
    enforceRoster(conduit);
    return answer;
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (TOLD.includes(problem.code)) throw problem;
    throw new Problem('not-available', `document refused: ${documentFault(problem)}`);
  }
}
