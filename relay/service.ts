/** The assembly: the one place that makes a relay's parts and wires them. */
import type { RelayConfig } from '../protocol/config.ts';
import { type Engine, SEED_BYTES } from '../protocol/engine/engine.ts';
import { Problem } from '../protocol/problem.ts';
import { ROSTER } from '../protocol/roster.ts';
import { toHex } from '../protocol/text.ts';
import { readAppliance } from './appliance.ts';
import { monotonicMs } from './clock.ts';
import { type Conduit, lookAfterLog } from './conduit.ts';
import { type OpenListener, openListener } from './http/listener.ts';
import { Strangers } from './http/strangers.ts';
import { type RelayIdentity, readSeedFile, relayIdentity } from './identity.ts';
import type { LogView } from './log/log-view.ts';
import { openAudit } from './log/open-audit.ts';
import type { SignerThreadOptions } from './log/signer-thread.ts';
import { zoneGate } from './members/auth.ts';
import { entitlementsOf } from './members/entitlements.ts';
import { Receipts } from './members/receipts.ts';
import { Registry } from './members/registry.ts';
import { RosterPieces } from './members/roster-pieces.ts';
import { RosterStore } from './members/roster-store.ts';
import { readSiteFile } from './members/site-file.ts';
import { Activity } from './monitor/activity.ts';
import { Attendance } from './monitor/attendance.ts';
import { type Log, makeLog } from './monitor/event-log.ts';
import { type Health, healthOf } from './monitor/health.ts';
import type { Levels } from './monitor/level-metrics.ts';
import { type Metrics, makeMetrics } from './monitor/metrics.ts';
import { devicesOf, statusOf } from './monitor/status.ts';
import { claimRoutes } from './routes/claim.ts';
import { cosignedRoutes } from './routes/cosigned.ts';
import { deviceRoutes } from './routes/device.ts';
import { logRoutes } from './routes/log.ts';
import { monitorRoutes } from './routes/monitor.ts';
import { operatorRoutes } from './routes/operator.ts';
import { outboundRoutes } from './routes/outbound.ts';
import type { Route } from './routes/route.ts';
import { submitRoutes } from './routes/submit.ts';
import { Deliveries } from './store/deliveries.ts';
import { deliveryLimits } from './store/delivery-limits.ts';
import type { DeliveryEvent } from './store/event.ts';
import { openStore } from './store/open-store.ts';
import { readVersion, type Version } from './version.ts';

/** How often states are brought up to date while nobody calls. */
const SETTLE_MS = 1000;
/** How late a head of the audit log may be. */
const AUDIT_TICK_MS = 250;
/** The interval of a relay that serves no site. */
const IDLE_INTERVAL_MS = 15_000;

export interface RelayOptions {
  readonly engine: Engine;
  /** Monotonic milliseconds; CLOCK_MONOTONIC when left out. */
  readonly now?: () => number;
  readonly log?: Log;
  /** Told of everything that happens to a transfer, after it happened. */
  readonly onDelivery?: (event: DeliveryEvent) => void;
  /** Another audit log to serve than the relay's own, for tests. */
  readonly audit?: LogView;
  /** Memory that the process may still take; what the system says when left out. */
  readonly freeBytes?: () => number;
  /** What runs in the signer's thread of the audit log, for tests. */
  readonly signer?: Pick<SignerThreadOptions, 'program' | 'silentMs'>;
}

/** A relay that listens. */
export interface Relay {
  readonly name: string;
  readonly listeners: readonly Omit<OpenListener, 'close'>[];
  /** Pin of the TLS key of `pq` listeners. */
  readonly pin: string;
  readonly logPin: string;
  /** Null while no site is configured. */
  readonly conduit: Conduit | null;
  /** Stops listening and ends what is under way; burns every block, unless the store keeps them for the next process. */
  close(): Promise<void>;
}

/** Starts a relay. Refuses `config-missing`, `config-invalid`, `file-invalid` and what a wrong roster is refused for. */
export async function startRelay(config: RelayConfig, options: RelayOptions): Promise<Relay> {
  const { engine, now = monotonicMs, log = makeLog(config.logLevel) } = options;
  const startedMs = now();
  const version = await readVersion();
  const identity = await loadIdentity(config, engine);

  // 1. What is shared: with a site a conduit, without one nothing but the word that it is missing.
  let conduit: Conduit | null = null;
  const health = () => healthOf(config, version, now() - startedMs, conduit);
  const metrics = makeMetrics(
    () => levelsOf(health(), conduit),
    () => (conduit ? devicesOf(conduit) : []),
  );
  if (config.site)
    conduit = await makeConduit(config, config.site, { ...options, now, log, metrics, identity, version, startedMs });

  // 2. The calls, and the listeners that serve them.
  const { failuresPerMinute } = config.limits;
  const strangers = new Strangers({ failuresPerMinute, log, metrics, now });
  const status = () => statusOf(health(), intervalMsOf(conduit) / 1000, conduit, config.useNotice);
  const routes: Route[] = [
    ...monitorRoutes(health, status, metrics),
    ...(conduit ? siteRoutes(conduit, options.audit ?? conduit.audit.view) : []),
  ];
  const listeners = await openAll(
    config.listeners.map((listener) => ({
      listener,
      routes,
      zone: zoneGate(listener, config.listeners),
      registry: conduit?.registry ?? null,
      audit: conduit?.audit ?? null,
      limits: config.limits,
      intervalMs: intervalMsOf(conduit),
      identity,
      version,
      log,
      metrics,
      strangers,
    })),
  ).catch(async (thrown) => {
    metrics.close();
    await conduit?.stop();
    throw thrown;
  });

  // 3. Time passes although nobody calls.
  const timer = setInterval(() => {
    conduit?.deliveries.settle(now());
    strangers.settle();
  }, SETTLE_MS);
  timer.unref();
  const ticking = setInterval(() => conduit && lookAfterLog(conduit), AUDIT_TICK_MS).unref();
  const places = listeners.map(({ close: _, ...place }) => place);
  log.info({ name: config.name, listeners: places, pin: identity.tls.pin }, 'listening');
  return {
    name: config.name,
    listeners: places,
    pin: identity.tls.pin,
    logPin: identity.logPin,
    conduit,
    async close() {
      clearInterval(timer);
      clearInterval(ticking);
      await Promise.all(listeners.map((listener) => listener.close()));
      metrics.close();
      await conduit?.stop();
      log.info({ name: config.name }, 'stopped');
    },
  };
}

async function loadIdentity(config: RelayConfig, engine: Engine): Promise<RelayIdentity> {
  const seed = config.seedFile === null ? engine.random(SEED_BYTES) : await readSeedFile(config.seedFile);
  const identity = relayIdentity(engine, seed, config.name);
  seed.fill(0);
  return identity;
}

/** The log seed for a signer that follows one that died. */
async function logSeedAgain(config: RelayConfig, engine: Engine): Promise<Uint8Array> {
  if (config.seedFile !== null) return (await loadIdentity(config, engine)).logSeed;
  throw new Problem('config-missing', 'the relay has no seedFile, so its log key died with the signer');
}

interface Shared {
  readonly now: () => number;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly identity: RelayIdentity;
  readonly version: Version;
  readonly startedMs: number;
}

async function makeConduit(
  config: RelayConfig,
  site: NonNullable<RelayConfig['site']>,
  options: RelayOptions & Shared,
): Promise<Conduit> {
  const { engine, now, log, metrics, identity, version, startedMs, onDelivery } = options;
  const appliance = await readAppliance(config.appliance, now);
  const roster = new RosterStore(
    engine,
    await readSiteFile(site.rosterFile, ROSTER.limit),
    site,
    appliance?.self ?? null,
  );
  const { blockSize } = roster.current.profile;
  const opened = await openStore(config.store, blockSize, engine.random(16), (finding) => log.warn(finding, 'store'));
  const { store, adopted, ended, epoch, close } = opened;
  const audit = await openAudit(config, {
    engine,
    identity,
    version,
    now,
    startedMs,
    log,
    appliance,
    quantum: () => roster.current.profile.logQuantum,
    freeBytes: options.freeBytes ?? (() => process.availableMemory()),
    seedAgain: () => logSeedAgain(config, engine),
    ...options.signer,
  });
  const activity = new Activity(now);
  const deliveries = new Deliveries(
    store,
    deliveryLimits(config.limits, () => roster.current.profile, appliance?.self.device.did ?? null),
    () => toHex(engine.random(16)),
    (event, transfer) => {
      audit.delivery(event, transfer);
      metrics.delivery(event);
      activity.delivery(event);
      appliance?.test.delivery(event);
      log.debug(event, 'transfer');
      onDelivery?.(event);
    },
  );
  for (const { id } of adopted) audit.did('transfer.adopted', { x: id });
  // Also for readers that the roster file lacks: the last process may have had a newer roster, and this one will again.
  deliveries.adopt(now(), adopted, ended, (did) => roster.member(did)?.zone);
  for (const { id } of deliveries.held()) activity.adopted(id);
  if (adopted.length > 0) log.info({ blocks: adopted.length }, 'adopted');
  return {
    engine,
    config,
    log,
    metrics,
    epoch,
    roster,
    rosterPieces: new RosterPieces(roster, now),
    registry: new Registry(engine, roster, entitlementsOf(config.licenceKey)),
    store,
    deliveries,
    receipts: new Receipts(engine, roster),
    activity,
    attendance: new Attendance({
      now,
      intervalMs: () => roster.current.profile.intervalMs,
      record: (draft) => {
        audit.record(draft);
        log.info({ device: roster.member(draft.src.id)?.name, slots: draft.obj.count }, 'missed slots');
      },
    }),
    audit,
    appliance,
    cover: makeCover(engine, store.blockBytes),
    now,
    async stop() {
      if (!store.outlivesProcess) audit.because('shutdown', () => deliveries.burnAll(now()));
      await audit.close();
      close();
    },
  };
}

function makeCover(engine: Engine, blockBytes: number): Buffer {
  const cover = Buffer.from(engine.random(blockBytes).buffer);
  cover[0] = 0;
  return cover;
}

function siteRoutes(conduit: Conduit, audit: LogView): Route[] {
  return [
    ...submitRoutes(conduit),
    ...claimRoutes(conduit),
    ...outboundRoutes(conduit),
    ...deviceRoutes(conduit),
    ...operatorRoutes(conduit),
    ...logRoutes(conduit.engine, audit),
    ...cosignedRoutes(conduit),
  ];
}

/** Opens all or none. */
async function openAll(wanted: readonly Parameters<typeof openListener>[0][]): Promise<OpenListener[]> {
  const open: OpenListener[] = [];
  try {
    for (const options of wanted) open.push(await openListener(options));
    return open;
  } catch (thrown) {
    await Promise.all(open.map((listener) => listener.close()));
    throw thrown;
  }
}

function levelsOf(health: Health, conduit: Conduit | null): Levels {
  const roster = conduit?.roster;
  return {
    health,
    oldestBlockSeconds: (conduit?.activity.oldestBlockMs ?? 0) / 1000,
    intervalSeconds: intervalMsOf(conduit) / 1000,
    rosterDevices: roster?.current.devices.length ?? 0,
    unrostered: roster?.unrostered ?? 0,
    rosterNotInFile: roster?.publishedSinceStart ?? false,
    log: conduit?.audit.state ?? null,
  };
}

function intervalMsOf(conduit: Conduit | null): number {
  return conduit?.roster.current.profile.intervalMs ?? IDLE_INTERVAL_MS;
}
