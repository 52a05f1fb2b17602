/** The shared state of a relay that serves a site. Made once by service.ts; routes read it and change it by methods. */
import type { RelayConfig } from '../protocol/config.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import type { Appliance } from './appliance.ts';
import type { Audit } from './log/audit.ts';
import type { Receipts } from './members/receipts.ts';
import type { Registry } from './members/registry.ts';
import type { RosterPieces } from './members/roster-pieces.ts';
import type { RosterStore } from './members/roster-store.ts';
import type { Activity } from './monitor/activity.ts';
import type { Attendance } from './monitor/attendance.ts';
import type { Log } from './monitor/event-log.ts';
import type { Metrics } from './monitor/metrics.ts';
import type { BlockStore } from './store/block-store.ts';
import type { Deliveries } from './store/deliveries.ts';

/** A sender that missed so many intervals is recorded as stale. */
const STALE_INTERVALS = 10;

export interface Conduit {
  readonly engine: Engine;
  readonly config: RelayConfig;
  readonly log: Log;
  readonly metrics: Metrics;
  /** 16 random bytes: a new value tells clients that what was held may be gone. */
  readonly epoch: Uint8Array;
  readonly roster: RosterStore;
  readonly rosterPieces: RosterPieces;
  readonly registry: Registry;
  readonly store: BlockStore;
  readonly deliveries: Deliveries;
  readonly receipts: Receipts;
  readonly activity: Activity;
  readonly attendance: Attendance;
  readonly audit: Audit;
  /** Null on a host that is no appliance. */
  readonly appliance: Appliance | null;
  /**
   * What a reader gets when nothing waits: random bytes, first byte 0x00. Made once, so that answering with a cover
   * takes exactly the work of answering with a block; on the wire TLS makes each look new.
   */
  readonly cover: Buffer;
  /** Monotonic milliseconds. */
  now(): number;
  /** Ends it, after the last answer: burns every block unless the store keeps them for the next process, and closes the store. */
  stop(): Promise<void>;
}

/** Applies a changed roster or revocation at once: to registrations and to blocks that wait. */
export function enforceRoster(conduit: Conduit): void {
  const { registry, deliveries, activity, attendance, audit, roster, rosterPieces, now } = conduit;
  registry.enforce();
  const belongs = (did: string) => roster.member(did) !== undefined;
  activity.enforce(belongs);
  attendance.enforce(belongs);
  rosterPieces.enforce(belongs);
  audit.presence.enforce(belongs);
  audit.receipts.enforce(belongs);
  const mayRead = (did: string) => roster.member(did)?.roles.includes('receive') ?? false;
  audit.because('revoked', () => deliveries.dropReaders(now(), mayRead));
}

/** Heads and counts that are due, and what devices did not do. */
export function lookAfterLog({ audit, registry, roster, activity }: Conduit): void {
  audit.tick();
  const senders = roster.current.devices
    .filter(({ did, roles }) => roles.includes('send') && registry.has(did))
    .map(({ did }) => ({ did, silentMs: activity.silentMs(did) }));
  audit.presence.tick(senders, STALE_INTERVALS * roster.current.profile.intervalMs);
}

/** How long a body may take: a block of a long interval takes most of it. */
export function bodyMs({ config, roster }: Pick<Conduit, 'config' | 'roster'>): number {
  return Math.max(config.limits.bodySeconds * 1000, roster.current.profile.intervalMs);
}
