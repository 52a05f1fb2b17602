/** Making a site: operator key, relay identity, the first roster, and the folder that the relay's host needs. */
import { readdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { canonicalBytes } from '../../protocol/canonical.ts';
import { type Call, type ListenerConfig, parseRelayConfig, type RelayConfig } from '../../protocol/config.ts';
import { CONTROL_BYTES } from '../../protocol/control.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { keysText, operatorKeyHash } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { ROSTER, type Roster } from '../../protocol/roster.ts';
import { ZONES, type Zone } from '../../protocol/shapes.ts';
import { signDocument } from '../../protocol/signed.ts';
import { toBase64Url, toHex } from '../../protocol/text.ts';
import { writeFileAtomic } from '../lib/files.ts';
import { relayPins } from '../lib/relay-pins.ts';
import { rosterPath, SiteFolder, type SiteSettings, type SiteUrls, writeSettings } from './site-folder.ts';

/** Records of the audit log from head to head. */
export const DEFAULT_LOG_QUANTUM = 256;

export interface NewSite {
  readonly name: string;
  readonly urls: SiteUrls;
  readonly blockSize: number;
  readonly intervalMs: number;
  /** Blocks that the relay holds at most. */
  readonly slots: number;
  /** Records of the audit log from head to head, 1 for as many as there are; the default when it is left out. */
  readonly logQuantum?: number;
  /** How much the relay logs; `info` when it is left out. */
  readonly logLevel?: RelayConfig['logLevel'];
}

/** What anybody may read of the audit log: heads, hashes and proofs, no records but the epoch statement. */
const LOG_CALLS: readonly Call[] = [
  'checkpoint',
  'tile',
  'ct-epoch',
  'ct-sth',
  'ct-sth-history',
  'ct-proof',
  'ct-consistency',
  'ct-feed',
];

/** What the relay serves to each zone: OT submits, IT claims, management does the rest. */
const ZONE_CALLS: Readonly<Record<Zone, readonly Call[]>> = {
  ot: ['inbound', 'membership'],
  it: ['claim', 'membership'],
  management: [
    'register',
    'membership',
    'did',
    'roster',
    'roster-publish',
    'revoke',
    'health',
    'metrics',
    'openapi',
    'status-page',
    'status-json',
    ...LOG_CALLS,
    'entries',
    'ct-log',
    'ct-cosigned',
  ],
};

/** What browsers and Prometheus are served, which do not speak the post-quantum signature. */
const MONITORING_CALLS: readonly Call[] = ['status-page', 'status-json', 'health', 'metrics', ...LOG_CALLS];

/** Makes a site in `folder`, which must be empty or missing; refuses `already-exists`. site.json is written last. */
export function createSite(engine: Engine, folder: string, site: NewSite): SiteFolder {
  refuseUsed(folder);
  const operatorSeed = engine.random(32);
  const relaySeed = engine.random(32);
  const operator = engine.signingKey(operatorSeed);
  const pins = relayPins(engine, relaySeed);
  const settings: SiteSettings = {
    v: 1,
    name: site.name,
    siteId: toHex(engine.random(16)),
    operatorKeyHash: operatorKeyHash(operator.publicKeys),
    urls: site.urls,
    relayPins: [pins.tls],
    logPin: pins.log,
  };
  const roster: Roster = {
    v: 1,
    siteId: settings.siteId,
    siteName: site.name,
    version: 1,
    issuedMs: Date.now(),
    operator: keysText(operator.publicKeys),
    profile: {
      blockSize: site.blockSize,
      intervalMs: site.intervalMs,
      lanesUp: 1,
      lanesDown: 2,
      controlSize: CONTROL_BYTES,
      logQuantum: site.logQuantum ?? DEFAULT_LOG_QUANTUM,
    },
    devices: [],
    groups: {},
    routes: [],
    cosigners: [],
    revocations: [],
  };
  const rosterBytes = canonicalBytes(signDocument(engine, operator, ROSTER, roster));
  writeFileAtomic(join(folder, 'operator-seed'), `${toBase64Url(operatorSeed)}\n`);
  writeFileAtomic(rosterPath(folder, 1), rosterBytes, 0o644);
  writeFileAtomic(join(folder, 'relay', 'identity-seed'), `${toBase64Url(relaySeed)}\n`);
  writeFileAtomic(join(folder, 'relay', 'roster.json'), rosterBytes, 0o644);
  writeFileAtomic(join(folder, 'relay', 'relay.yaml'), relayYaml(settings, site), 0o644);
  writeSettings(folder, settings);
  return new SiteFolder(engine, folder);
}

/** The relay's configuration; paths in it are meant from the file's own folder, which is copied as it is. */
function relayYaml(settings: SiteSettings, { slots, logLevel }: NewSite): string {
  const config = {
    name: settings.name,
    seedFile: 'identity-seed',
    site: { siteId: settings.siteId, operatorKeyHash: settings.operatorKeyHash, rosterFile: 'roster.json' },
    listeners: [...ZONES.map((zone) => listenerOf(zone, settings.urls[zone])), monitoringListener(settings.urls)],
    store: { slots },
    ...(logLevel ? { logLevel } : {}),
  };
  parseRelayConfig(config);
  return `# The relay of site ${settings.name}, made by ghostpipe-provision site.\n${stringify(config)}`;
}

/** A listener on the address in `url`; on all addresses when the URL has a host name, as only the host knows its own. */
function listenerOf(zone: Zone, url: string): ListenerConfig {
  const { hostname, port } = new URL(url);
  const address = hostname.replace(/^\[|\]$/g, '');
  return {
    zone,
    address: isIP(address) ? address : '0.0.0.0',
    port: Number(port || 443),
    tls: 'pq',
    calls: ZONE_CALLS[zone],
  };
}

/** Beside the management listener, at the port after its own. */
function monitoringListener({ management }: SiteUrls): ListenerConfig {
  const { port, ...listener } = listenerOf('management', management);
  return { ...listener, port: port === 0 ? 0 : port + 1, tls: 'classic', calls: MONITORING_CALLS };
}

function refuseUsed(folder: string): void {
  let entries: string[] = [];
  try {
    entries = readdirSync(folder);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
  if (entries.length > 0) throw new Problem('already-exists', `${folder} is not empty (it has ${entries[0]})`);
}
