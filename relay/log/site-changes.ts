/** The records of what changed in the site: a registration, a roster, a revocation. */
import type { LogSource } from '../../protocol/log-record.ts';
import type { Registration } from '../../protocol/registration.ts';
import type { RevokedEntry } from '../../protocol/revocation.ts';
import type { Roster } from '../../protocol/roster.ts';
import type { Zone } from '../../protocol/shapes.ts';
import type { Draft } from './draft.ts';

/** What a device brought with a registration that was not there `before`: itself, an API key, a KEM key. */
export function registrationRecords(before: Registration | undefined, after: Registration, zone: Zone): Draft[] {
  const { did, apiKeyHash } = after.grant;
  const common = { res: 'success', src: { id: did, k: 'device' } } as const;
  const issued = (kind: 'api' | 'kem'): Draft => ({ act: 'key.issued', obj: { did, kind }, ...common });
  return [
    ...(before ? [] : [{ act: 'did.registered', obj: { did, zone }, ...common } as const]),
    ...(before?.grant.apiKeyHash === apiKeyHash ? [] : [issued('api')]),
    ...(before?.statement.keyId === after.statement.keyId ? [] : [issued('kem')]),
  ];
}

/** The record of one revocation. */
export function revocationRecord({ did, what }: Pick<RevokedEntry, 'did' | 'what'>, src: LogSource): Draft {
  const common = { res: 'success', src } as const;
  if (what === 'device') return { act: 'did.revoked', obj: { did }, ...common };
  return { act: 'key.revoked', obj: { did, kind: 'api' }, ...common };
}

/** What a roster changed: its version, whom it revokes that `before` did not, and groups with other members. */
export function rosterRecords(before: Roster, after: Roster, src: LogSource): Draft[] {
  const { version } = after;
  const common = { res: 'success', src } as const;
  const known = new Set(before.revocations.map(revocationKey));
  const names = [...new Set([...Object.keys(before.groups), ...Object.keys(after.groups)])];
  const membersOf = ({ groups }: Roster, name: string) => JSON.stringify(groups[name] ?? null);
  return [
    { act: 'policy.changed', obj: { policy: 'roster', version }, ...common },
    ...after.revocations
      .filter((entry) => !known.has(revocationKey(entry)))
      .map((entry) => revocationRecord(entry, src)),
    ...names
      .filter((name) => membersOf(before, name) !== membersOf(after, name))
      .map((group): Draft => ({ act: 'group.changed', obj: { group, version }, ...common })),
  ];
}

function revocationKey({ did, what, apiKeyHash }: RevokedEntry): string {
  return `${did} ${what} ${apiKeyHash ?? ''}`;
}
