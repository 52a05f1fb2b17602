/** Where a block may go: read from its own header, checked against registrations and the sender's route. */
import type { Header } from '../../protocol/block.ts';
import { Problem } from '../../protocol/problem.ts';
import { routeOf } from '../../protocol/roster.ts';
import { toBase64Url } from '../../protocol/text.ts';
import type { Member, Registry } from './registry.ts';
import type { RosterStore } from './roster-store.ts';

export interface Recipient {
  readonly did: string;
  readonly ackCommit: Uint8Array;
}

/**
 * The recipients of a block: the registered receivers whose key a stanza names. Refuses `no-recipient` when there are
 * none, `not-routed` when one is not on the sender's route, `views-exceeded` and `ttl-exceeded`.
 */
export function recipientsOf(
  header: Header,
  sender: Member,
  site: { readonly registry: Registry; readonly roster: RosterStore; readonly maxTtlSeconds: number },
): Recipient[] {
  const { roster, registry } = site;
  const allowed = registry.isSelf(sender.device.did)
    ? [sender.device]
    : routeOf(roster.current, sender.device.name).recipients;
  const recipients = header.stanzas.flatMap(({ keyId, ackCommit }) => {
    const named = registry.withKeyId(toBase64Url(keyId)).filter(({ device }) => device.roles.includes('receive'));
    const routed = named.filter(({ device }) => allowed.includes(device));
    if (routed.length === 0 && named.length > 0) {
      const names = named.map(({ device }) => device.name).join(', ');
      throw new Problem('not-routed', `the roster has no route from ${sender.device.name} to ${names}`);
    }
    return routed.map(({ device }) => ({ did: device.did, ackCommit }));
  });
  if (recipients.length === 0) {
    throw new Problem('no-recipient', `none of ${header.stanzaCount} stanzas names a registered receiver`);
  }
  if (header.views > recipients.length) {
    throw new Problem('views-exceeded', `${header.views} views are asked for ${recipients.length} recipients`);
  }
  if (header.ttlSeconds > site.maxTtlSeconds) {
    throw new Problem('ttl-exceeded', `ttl is ${header.ttlSeconds} s, the limit is ${site.maxTtlSeconds} s`);
  }
  return recipients;
}
