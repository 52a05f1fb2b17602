/** Every call of the protocol as a stranger would try it, and whom it is for. */
import type { Call } from '../../../protocol/config.ts';

export interface CallForm {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Who may: anybody, any device, or a device with a role. */
  readonly allowed: 'anyone' | 'device' | 'send' | 'receive' | 'audit';
}

const ID = '0'.repeat(32);
const HASH = '0'.repeat(64);

export const CALL_FORMS: Readonly<Record<Call, CallForm>> = {
  inbound: { method: 'POST', path: '/v2/inbound', allowed: 'send' },
  claim: { method: 'POST', path: '/v2/claim', allowed: 'receive' },
  ack: { method: 'POST', path: '/v2/ack', allowed: 'receive' },
  outbound: { method: 'GET', path: `/v2/outbound/${HASH}`, allowed: 'receive' },
  status: { method: 'GET', path: `/v2/status/${ID}`, allowed: 'send' },
  delete: { method: 'DELETE', path: `/v2/inbound/${ID}`, allowed: 'send' },
  roster: { method: 'GET', path: '/v2/roster', allowed: 'device' },
  'roster-publish': { method: 'POST', path: '/v2/roster', allowed: 'anyone' },
  revoke: { method: 'POST', path: '/v2/revoke', allowed: 'anyone' },
  did: { method: 'GET', path: '/v2/did/did:paramant:x', allowed: 'device' },
  register: { method: 'POST', path: '/v2/did/register', allowed: 'anyone' },
  membership: { method: 'POST', path: '/v2/membership', allowed: 'anyone' },
  health: { method: 'GET', path: '/health', allowed: 'anyone' },
  metrics: { method: 'GET', path: '/metrics', allowed: 'anyone' },
  openapi: { method: 'GET', path: '/openapi.json', allowed: 'anyone' },
  'status-page': { method: 'GET', path: '/', allowed: 'anyone' },
  'status-json': { method: 'GET', path: '/status.json', allowed: 'anyone' },
  checkpoint: { method: 'GET', path: '/checkpoint', allowed: 'anyone' },
  tile: { method: 'GET', path: '/tile/0/000.p/1', allowed: 'anyone' },
  entries: { method: 'GET', path: '/tile/entries/000.p/1', allowed: 'audit' },
  'ct-epoch': { method: 'GET', path: '/v2/ct/epoch', allowed: 'anyone' },
  'ct-sth': { method: 'GET', path: '/v2/ct/sth', allowed: 'anyone' },
  'ct-sth-history': { method: 'GET', path: '/v2/ct/sth/history', allowed: 'anyone' },
  'ct-proof': { method: 'GET', path: '/v2/ct/proof?index=0', allowed: 'anyone' },
  'ct-consistency': { method: 'GET', path: '/v2/ct/consistency?from=0', allowed: 'anyone' },
  'ct-cosigned': { method: 'POST', path: '/v2/ct/cosigned', allowed: 'anyone' },
  'ct-log': { method: 'GET', path: '/v2/ct/log', allowed: 'audit' },
  'ct-feed': { method: 'GET', path: '/v2/ct/feed.xml', allowed: 'anyone' },
};

/** An API key of the right form that nobody has. */
export const UNKNOWN_KEY = `pgp_${'A'.repeat(43)}`;
