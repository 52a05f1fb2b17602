/**
 * Grant: the operator's word that a device belongs to the site. The device presents it at each registration, so the
 * relay needs no memory of it and a reboot loses nobody.
 */
import { integer, list, type Of, object } from './shape.ts';
import { bytesText, didText, nameText, role, siteIdText, timeMs, version1, zone } from './shapes.ts';
import type { DocumentKind } from './signed.ts';

const body = object({
  v: version1,
  siteId: siteIdText,
  /** Grows with each grant of the site; the newest grant of a device counts. */
  serial: integer(1, Number.MAX_SAFE_INTEGER),
  did: didText,
  name: nameText,
  roles: list(role, 1, 5, String),
  zone,
  apiKeyHash: bytesText(32),
  issuedMs: timeMs,
});
export type Grant = Of<typeof body>;

export const GRANT: DocumentKind<Grant> = { label: 'ghostpipe/grant/v1', body, limit: 16_384 };
