/** The operator's calls. Signatures authorise them and nothing else, so that any machine may carry a document here. */
import type { IncomingMessage } from 'node:http';
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { REVOCATION } from '../../protocol/revocation.ts';
import { ROSTER } from '../../protocol/roster.ts';
import { bodyMs, type Conduit, enforceRoster } from '../conduit.ts';
import { readBody } from '../http/body.ts';
import { revocationRecord, rosterRecords } from '../log/site-changes.ts';
import { documentFault } from '../monitor/event-log.ts';
import { describe, json, type OpenExchange, type OpenRoute } from './route.ts';

/** Refusals that come after the operator's signature held: their cause is told. */
const TOLD: readonly ProblemCode[] = ['roster-older', 'profile-mismatch', 'quota-exceeded'];

/** Documents that arrive at the same time: as many whole rosters are in memory at most. */
const MAX_ARRIVING = 16;

export function operatorRoutes(conduit: Conduit): OpenRoute[] {
  const arriving = new Set<IncomingMessage>();
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
        signedCall(conduit, exchange, arriving, ROSTER.limit, (bytes) => {
          const before = conduit.roster.current;
          const roster = conduit.roster.publish(bytes);
          for (const draft of rosterRecords(before, roster, operatorOf(conduit))) conduit.audit.record(draft);
          const { version } = roster;
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
        signedCall(conduit, exchange, arriving, REVOCATION.limit, (bytes) => {
          const { did, what, by } = conduit.roster.revoke(bytes, (wanted) => {
            const registration = conduit.registry.withDid(wanted)?.registration;
            return registration && { keys: registration.keys, apiKeyHash: registration.grant.apiKeyHash };
          });
          const src = by === 'operator' ? operatorOf(conduit) : ({ id: did, k: 'device' } as const);
          conduit.audit.record(revocationRecord({ did, what }, src));
          conduit.log.info({ did, what, by }, 'revoked');
          return {};
        }),
    },
  ];
}

function operatorOf({ config }: Conduit) {
  return { id: config.site!.operatorKeyHash, k: 'operator' } as const;
}

/**
 * Reads a document and lets `apply` take it; then registrations and waiting blocks follow at once. Whose source has
 * failed too often is refused before it is read, and again before its signature is checked.
 */
async function signedCall(
  conduit: Conduit,
  { request, refuseSpent }: OpenExchange,
  arriving: Set<IncomingMessage>,
  limit: number,
  apply: (bytes: Uint8Array) => object,
): Promise<object> {
  try {
    refuseSpent();
    const bytes = await receive(request.raw, arriving, () => readBody(request.raw, limit, bodyMs(conduit)));
    refuseSpent();
    const answer = apply(bytes);
    enforceRoster(conduit);
    return answer;
  } catch (thrown) {
    const problem = asProblem(thrown);
    if (TOLD.includes(problem.code)) throw problem;
    throw new Problem('not-available', `document refused: ${documentFault(problem)}`);
  }
}

/** Reads while `request` is among those that arrive. The oldest goes when there are too many: no slow one keeps others out. */
async function receive(
  request: IncomingMessage,
  arriving: Set<IncomingMessage>,
  read: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  arriving.add(request);
  const [oldest] = arriving;
  if (arriving.size > MAX_ARRIVING) oldest!.destroy();
  try {
    return await read();
  } finally {
    arriving.delete(request);
  }
}
