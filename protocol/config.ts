/**
 * The relay's configuration as one checked document. Where it comes from (a YAML file, the environment) is the
 * relay's business; this file says what it may hold and what each default is.
 */
import { MAX_TTL_SECONDS } from './block.ts';
import { Problem } from './problem.ts';
import { check, integer, list, type Of, object, oneOf, text } from './shape.ts';
import { nameText, pinText, siteIdText, type Zone, zone } from './shapes.ts';

/** The calls that a listener may serve. */
export const CALLS = [
  'inbound',
  'claim',
  'ack',
  'outbound',
  'status',
  'delete',
  'roster',
  'roster-publish',
  'revoke',
  'did',
  'register',
  'membership',
  'health',
  'metrics',
  'openapi',
  'status-page',
  'status-json',
  'checkpoint',
  'tile',
  'entries',
  'ct-epoch',
  'ct-sth',
  'ct-sth-history',
  'ct-proof',
  'ct-consistency',
  'ct-log',
  'ct-feed',
  'ct-cosigned',
] as const;
export type Call = (typeof CALLS)[number];

/** Calls that carry blocks: they are served over post-quantum TLS only. */
export const DATA_CALLS: readonly Call[] = [
  'inbound',
  'claim',
  'ack',
  'outbound',
  'status',
  'delete',
  'register',
  'membership',
];

/** Calls that name devices to anybody who asks: they are served in the management zone only. */
export const MANAGEMENT_CALLS: readonly Call[] = ['status-page', 'status-json'];

/** `pq`: TLS 1.3, X25519MLKEM768, ML-DSA-65. `classic`: TLS 1.3 for monitoring. `off`: plain, on loopback only. */
export const TLS_MODES = ['pq', 'classic', 'off'] as const;

const listener = object({
  zone,
  address: text('an IP address', 2, 45, /^[0-9A-Fa-f.:]+$/),
  port: integer(0, 65_535),
  tls: oneOf(TLS_MODES),
  calls: list(oneOf(CALLS), 1, CALLS.length, String),
});
export type ListenerConfig = Of<typeof listener>;

/** `slab`: blocks die with the process. `tmpfs`: files in memory, below `path`, that the next process adopts. */
export const STORE_KINDS = ['slab', 'tmpfs'] as const;

/** Most slots of a store. */
const MAX_SLOTS = 4096;

const path = text('a path', 1, 4096);

const body = object(
  { listeners: list(listener, 1, 16) },
  {
    mode: oneOf(['iot']),
    name: nameText,
    /** File with the 32-byte identity seed in base64url; without it the identity is made anew at each start. */
    seedFile: path,
    licenceKey: text('a licence key (plk_...)', 1, 256, /^plk_[\x21-\x7e]+$/),
    site: object({ siteId: siteIdText, operatorKeyHash: pinText, rosterFile: path }),
    store: object({ slots: integer(1, MAX_SLOTS) }, { kind: oneOf(STORE_KINDS), path }),
    audit: object(
      {},
      {
        mode: oneOf(['required', 'best-effort', 'none']),
        ramMiB: integer(1, 65_536),
        pruneQuorum: integer(1, 16),
        stick: object({ path }),
      },
    ),
    limits: object(
      {},
      {
        maxTtlSeconds: integer(1, MAX_TTL_SECONDS),
        leaseSeconds: integer(1, 86_400),
        leasesPerReader: integer(1, 256),
        slotsPerSender: integer(1, MAX_SLOTS),
        slotsPerZone: object(
          {},
          { ot: integer(1, MAX_SLOTS), it: integer(1, MAX_SLOTS), management: integer(1, MAX_SLOTS) },
        ),
        bodySeconds: integer(1, 3600),
        connections: integer(1, 65_536),
        connectionsPerPeer: integer(1, 65_536),
        failuresPerMinute: integer(1, 1_000_000),
      },
    ),
    /** Why there is no site: what status page and health of an appliance in its safe state say. */
    notReady: text('a sentence', 1, 4096),
    /** On an appliance only, which writes it. */
    appliance: object({ statement: path, self: path, synchronized: path }),
    /** Shown to people before anything else: whose the relay is, and who may use it. */
    useNotice: text('a notice of one line', 1, 500, /^\P{Cc}+$/u),
    logLevel: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
  },
);
type Written = Of<typeof body>;

export type StoreConfig =
  | { readonly kind: 'slab'; readonly slots: number }
  | { readonly kind: 'tmpfs'; readonly slots: number; readonly path: string };

/** A complete configuration: what was written, and the defaults for the rest. */
export interface RelayConfig {
  readonly mode: 'iot';
  readonly name: string;
  readonly seedFile: string | null;
  readonly licenceKey: string | null;
  readonly site: Written['site'] | null;
  readonly listeners: readonly ListenerConfig[];
  readonly store: StoreConfig;
  readonly audit: {
    readonly mode: 'required' | 'best-effort' | 'none';
    /** What the log may take of memory, its journal included. */
    readonly ramMiB: number;
    /** How many archive servers must hold a record before it may leave memory. */
    readonly pruneQuorum: number;
    /** An existing folder on a stick that keeps the log beyond a power cut; null for none. */
    readonly stick: { readonly path: string } | null;
  };
  readonly limits: {
    readonly maxTtlSeconds: number;
    readonly leaseSeconds: number;
    readonly leasesPerReader: number;
    readonly slotsPerSender: number;
    /** What the senders of one zone may use together: what it leaves is kept for the others. */
    readonly slotsPerZone: Readonly<Record<Zone, number>>;
    readonly bodySeconds: number;
    /** Of each listener. */
    readonly connections: number;
    /** Of one source address before a device has shown itself, and of one device after. */
    readonly connectionsPerPeer: number;
    /** Failed attempts of one source address, before those that cost a signature check are refused unread. */
    readonly failuresPerMinute: number;
  };
  /** Why there is no site; null for no other reason than that none is configured. */
  readonly notReady: string | null;
  /** Paths: `boot-statement.ts`, `self-file.ts`, and a file that exists once a time server has set the clock. */
  readonly appliance: Readonly<Record<'statement' | 'self' | 'synchronized', string>> | null;
  /** What people are shown before anything else; null for nothing. */
  readonly useNotice: string | null;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
}

/** Everything that devices and operators need by default, on one listener. */
export const DEFAULT_LISTENER: ListenerConfig = {
  zone: 'ot',
  address: '0.0.0.0',
  port: 3000,
  tls: 'pq',
  calls: CALLS.filter((call) => !MANAGEMENT_CALLS.includes(call)),
};

/** Checks a configuration and fills in defaults; refuses `schema-invalid` with the path of the key. */
export function parseRelayConfig(value: unknown): RelayConfig {
  const written = check(body, value);
  const store = storeOf(written.store);
  const config: RelayConfig = {
    mode: written.mode ?? 'iot',
    name: written.name ?? 'relay',
    seedFile: written.seedFile ?? null,
    licenceKey: written.licenceKey ?? null,
    site: written.site ?? null,
    listeners: written.listeners,
    store,
    audit: auditOf(written),
    limits: {
      maxTtlSeconds: 86_400,
      leaseSeconds: 60,
      leasesPerReader: 4,
      slotsPerSender: store.slots,
      bodySeconds: 60,
      connections: 512,
      connectionsPerPeer: 64,
      failuresPerMinute: 60,
      ...written.limits,
      slotsPerZone: { ot: MAX_SLOTS, it: MAX_SLOTS, management: MAX_SLOTS, ...written.limits?.slotsPerZone },
    },
    notReady: written.notReady ?? null,
    appliance: written.appliance ?? null,
    useNotice: written.useNotice ?? null,
    logLevel: written.logLevel ?? 'info',
  };
  config.listeners.forEach(refuseUnsafeListener);
  if (config.notReady !== null && config.site) {
    throw new Problem('schema-invalid', 'notReady is for a relay without a site', 'notReady');
  }
  if (config.appliance && !config.site) {
    throw new Problem('schema-invalid', 'an appliance needs the section "site"', 'appliance');
  }
  return config;
}

function auditOf({ audit = {}, seedFile }: Written): RelayConfig['audit'] {
  const { mode = 'best-effort', ramMiB = 256, pruneQuorum = 1, stick = null } = audit;
  if (mode === 'required' && !stick) {
    throw new Problem('schema-invalid', 'mode: required needs a stick', 'audit.mode');
  }
  if (mode === 'none' && stick) throw new Problem('schema-invalid', 'mode: none writes to no stick', 'audit.stick');
  if (stick && seedFile === undefined) {
    const fact = 'a stick needs a seedFile: without it each start has a new log key, to which the stick is foreign';
    throw new Problem('schema-invalid', fact, 'audit.stick');
  }
  return { mode, ramMiB, pruneQuorum, stick };
}

function storeOf({ kind = 'slab', slots = 64, path }: Partial<NonNullable<Written['store']>> = {}): StoreConfig {
  if (kind === 'slab') {
    if (path !== undefined) throw new Problem('schema-invalid', 'a path needs kind: tmpfs', 'store.path');
    return { kind, slots };
  }
  if (path === undefined) throw new Problem('schema-invalid', 'kind: tmpfs needs a path', 'store.kind');
  return { kind, slots, path };
}

function refuseUnsafeListener(listener: ListenerConfig, index: number): void {
  const place = `listeners[${index}]`;
  const carried = listener.calls.find((call) => DATA_CALLS.includes(call));
  if (carried && listener.tls !== 'pq') {
    throw new Problem(
      'schema-invalid',
      `call "${carried}" needs tls: pq, this listener has tls: ${listener.tls}`,
      `${place}.tls`,
    );
  }
  const named = listener.calls.find((call) => MANAGEMENT_CALLS.includes(call));
  if (named && listener.zone !== 'management') {
    throw new Problem(
      'schema-invalid',
      `call "${named}" names devices and needs zone: management, this listener has zone: ${listener.zone}`,
      `${place}.zone`,
    );
  }
  if (listener.tls === 'off' && !isLoopback(listener.address)) {
    throw new Problem(
      'schema-invalid',
      `tls: off is for loopback only, not for ${listener.address}`,
      `${place}.address`,
    );
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}
