/**
 * Revocation: the operator's word, or a device's own, that a device or an API key is no longer valid. Never taken
 * back; a device that returns is enrolled anew.
 */
import { integer, type Of, object, oneOf } from './shape.ts';
import { bytesText, didText, siteIdText, timeMs, version1 } from './shapes.ts';
import type { DocumentKind } from './signed.ts';

/** What is revoked: a whole device, or one API key of it (named by its hash). */
const target = { did: didText, what: oneOf(['device', 'api-key']) };

/** An entry in a roster, which is signed as a whole. */
export const revokedEntry = object(target, { apiKeyHash: bytesText(32) });
export type RevokedEntry = Of<typeof revokedEntry>;

const body = object(
  {
    v: version1,
    siteId: siteIdText,
    serial: integer(1, Number.MAX_SAFE_INTEGER),
    by: oneOf(['operator', 'device']),
    ...target,
    issuedMs: timeMs,
  },
  { apiKeyHash: bytesText(32) },
);
export type Revocation = Of<typeof body>;

export const REVOCATION: DocumentKind<Revocation> = { label: 'ghostpipe/revocation/v1', body, limit: 16_384 };

/** True when `entries` revoke the device, or the API key with that hash. */
export function isRevoked(entries: readonly RevokedEntry[], did: string, apiKeyHash?: string): boolean {
  return entries.some(
    (entry) => entry.did === did && (entry.what === 'device' || (entry.apiKeyHash ?? '') === apiKeyHash),
  );
}
