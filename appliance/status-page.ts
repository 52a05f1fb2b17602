/**
 * The status page of the safe state: where a verified configuration has listeners for monitoring, a relay without a site
 * runs on these alone and says why there is no other.
 */
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { type Call, type ListenerConfig, parseRelayConfig } from '../protocol/config.ts';
import { relayListeners } from '../protocol/site-config.ts';
import { toBase64Url } from '../protocol/text.ts';
import { writeFileAtomic } from '../tools/lib/files.ts';
import { nftablesOf } from '../tools/lib/nftables.ts';
import { accountOf, giveFolder } from './accounts.ts';
import type { Card } from './card.ts';
import { RUN, USERS } from './layout.ts';
import { type NamedInterface, networkFile } from './network.ts';

/** What may be asked of an appliance in the safe state: no more than why. */
const CALLS: readonly Call[] = ['status-page', 'status-json', 'health'];

export interface StatusPageOptions {
  readonly run: string;
  /** The passwd file. */
  readonly accounts: string;
  /** The interface of the management zone. */
  readonly management: NamedInterface;
  /** Why it is safe, in a sentence. */
  readonly reason: string;
}

/** The listeners for browsers and monitoring of a relay, with nothing but what the safe state serves. */
export function pageListeners({ config }: Card): ListenerConfig[] {
  return relayListeners(config.relay)
    .filter(({ zone, calls }) => zone === 'management' && calls.includes('status-page'))
    .map((listener) => ({ ...listener, calls: CALLS.filter((call) => listener.calls.includes(call)) }));
}

/** Writes what the page needs: the relay's folder, the address of the management zone, and a firewall for it alone. */
export function renderStatusPage(card: Card, { run, accounts, management, reason }: StatusPageOptions): void {
  const listeners = pageListeners(card);
  const folder = join(run, RUN.relay);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o700);
  const relay = { name: card.roster.siteName, seedFile: 'identity-seed', listeners, notReady: reason };
  parseRelayConfig(relay);
  writeFileAtomic(join(folder, 'identity-seed'), `${toBase64Url(card.seed)}\n`);
  writeFileAtomic(join(folder, 'relay.yaml'), stringify(relay));
  giveFolder(folder, accountOf(accounts, USERS.relay));
  mkdirSync(join(run, RUN.networkd), { recursive: true, mode: 0o755 });
  writeFileAtomic(join(run, RUN.networkd, '10-ghostpipe-0.network'), networkFile(management), 0o644);
  const { siteName, version } = card.roster;
  const { device, address, allow } = management;
  const zone = { zone: 'management', interface: device, listeners, ...(allow === undefined ? {} : { allow }) } as const;
  const host = { ntp: [], dhcp: address === 'dhcp' ? [device] : [] };
  writeFileAtomic(join(run, RUN.firewall), nftablesOf({ siteName, version, zones: [zone], host }), 0o644);
}
