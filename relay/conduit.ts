/** The shared state of a relay that serves a site. Made once by service.ts; routes read it and change it by methods. */
import type { RelayConfig } from '../protocol/config.ts';
import type { Engine } from '../protocol/engine/engine.ts';
import type { Audit } from './log/audit.ts';
import type { Receipts } from './members/receipts.ts';
import type { Registry } from './members/registry.ts';
import type { RosterStore } from './members/roster-store.ts';
import type { Activity } from './monitor/activity.ts';
import type { Log } from './monitor/event-log.ts';
import type { Metrics } from './monitor/metrics.ts';
import type { BlockStore } from './store/block-store.ts';
import type { Deliveries } from './store/deliveries.ts';

export interface Conduit {
  readonly engine: Engine;
  readonly config: RelayConfig;
  readonly log: Log;
  readonly metrics: Metrics;
  /** 16 random bytes: a new value tells clients that what was held may be gone. */
  readonly epoch: Uint8Array;
  readonly roster: RosterStore;
  readonly registry: Registry;
  readonly store: BlockStore;
  readonly deliveries: Deliveries;
  readonly receipts: Receipts;
  readonly activity: Activity;
  readonly audit: Audit;
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
export function enforceRoster({ registry, deliveries, activity, audit, roster, now }: Conduit): void {
  registry.enforce();
  const belongs = (did: string) => roster.member(did) !== undefined;
  activity.enforce(belongs);
  audit.presence.enforce(belongs);
  const mayRead = (did: string) => roster.member(did)?.roles.includes('receive') ?? false;
  audit.because('revoked', () => deliveries.dropReaders(now(), mayRead));
}

/** How long a body may take. */
export function bodyMs({ config }: Pick<Conduit, 'config'>): number {
  return config.limits.bodySeconds * 1000;
}
