/** The relay's word on itself: ready or not, and what an operator should know. */
import type { RelayConfig } from '../../protocol/config.ts';
import type { AuditMode } from '../../protocol/log-action.ts';
import { toHex } from '../../protocol/text.ts';
import type { Conduit } from '../conduit.ts';
import { logNotices } from '../log/log-state.ts';
import type { Version } from '../version.ts';

export interface Health {
  readonly status: 'ready' | 'not-ready';
  /** Why it is not ready. */
  readonly reasons: readonly string[];
  /** What works but should be mended. */
  readonly notices: readonly string[];
  readonly name: string;
  readonly software: string;
  readonly uptimeSeconds: number;
  readonly epoch?: string;
  readonly rosterVersion?: number;
  readonly blockBytes?: number;
  readonly slots?: Readonly<Record<'free' | 'used' | 'burning', number>>;
  readonly registeredDevices?: number;
  /** What the audit log promises now. */
  readonly auditMode?: AuditMode;
}

/** `conduit` is null while no site is configured; `notReady` says why, if anybody knows. */
export function healthOf(
  { name, notReady }: Pick<RelayConfig, 'name' | 'notReady'>,
  version: Version,
  uptimeMs: number,
  conduit: Conduit | null,
): Health {
  const base = {
    name,
    software: `${version.name} ${version.version}`,
    uptimeSeconds: Math.floor(uptimeMs / 1000),
  };
  if (!conduit) {
    const reasons = [notReady ?? 'no site is configured: give a configuration file with the section "site"'];
    return { status: 'not-ready', reasons, notices: [], ...base };
  }
  const { mode, alarm } = conduit.audit.view;
  const untested = conduit.appliance?.test.reason ?? null;
  const reasons = [...(mode === 'required-degraded' ? [`audit log: ${alarm}`] : []), ...(untested ? [untested] : [])];
  return {
    status: reasons.length > 0 ? 'not-ready' : 'ready',
    reasons,
    notices: noticesOf(conduit),
    ...base,
    epoch: toHex(conduit.epoch),
    rosterVersion: conduit.roster.current.version,
    blockBytes: conduit.store.blockBytes,
    slots: conduit.store.count(),
    registeredDevices: conduit.registry.size,
    auditMode: mode,
  };
}

function noticesOf({ roster, store, audit, appliance }: Conduit): string[] {
  const notices = logNotices(audit.state);
  if (appliance?.test.notice) notices.push(appliance.test.notice);
  if (roster.unrostered > 0) {
    notices.push(`${roster.unrostered} revocations stand in no roster: publish one, and put it into the site's file`);
  }
  if (roster.publishedSinceStart) {
    notices.push(`roster ${roster.current.version} came after the start: put it into the site's file`);
  }
  if (store.count().free === 0) notices.push('every slot is in use');
  return notices;
}
