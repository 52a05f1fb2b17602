/** The audit log that a configuration asks for, with what earlier processes left of it, and its first records. */
import { uptime } from 'node:os';
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes } from '../../protocol/canonical.ts';
import type { RelayConfig } from '../../protocol/config.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { toBase64Url } from '../../protocol/text.ts';
import type { Appliance } from '../appliance.ts';
import type { RelayIdentity } from '../identity.ts';
import type { Log } from '../monitor/event-log.ts';
import type { Version } from '../version.ts';
import { Audit } from './audit.ts';
import { bootReason } from './boot-reason.ts';
import { Epochs } from './epochs.ts';
import { openStick } from './open-stick.ts';
import { Sequencer } from './sequencer.ts';
import { SignerThread, type SignerThreadOptions } from './signer-thread.ts';
import { folderDisk } from './stick-disk.ts';

const MIB = 2 ** 20;

export interface OpenAuditOptions extends SignerThreadOptions {
  readonly engine: Engine;
  /** Its log seed is handed over to the signer. */
  readonly identity: RelayIdentity;
  readonly version: Version;
  /** Leaves from head to head, by the sector profile in force. */
  readonly quantum: () => number;
  /** Monotonic milliseconds, and when the process began by them. */
  readonly now: () => number;
  readonly startedMs: number;
  readonly freeBytes: () => number;
  readonly log: Log;
  /** Null on a host that is no appliance. */
  readonly appliance: Appliance | null;
}

/** Opens the log. Nobody else may use the store's folder. */
export async function openAudit(config: RelayConfig, options: OpenAuditOptions): Promise<Audit> {
  const { engine, identity, version, quantum, now, startedMs, freeBytes, log, appliance } = options;
  const { mode, ramMiB, pruneQuorum, stick: onStick } = config.audit;
  const { name, store, licenceKey } = config;
  const onFault = (fact: string): void => log.warn({ fact }, 'audit');
  const folder = store.kind === 'tmpfs' && mode !== 'none' ? store.path : null;
  const signer = new SignerThread(identity.logSeed, options);
  const epochs = new Epochs({
    engine,
    logPin: identity.logPin,
    folder,
    limitBytes: ramMiB * MIB,
    mode,
    onFinding: onFault,
    onReplay: (progress) => log.info(progress, 'audit journal'),
  });
  const left = epochs.newest?.statement ?? null; // in memory: what a stick has says nothing of how the last process ended
  const wall = () => Date.now();
  const { logPin } = identity;
  const shared = { engine, epochs, signer, name, now, wall };
  const disk = onStick && folderDisk(onStick.path);
  const opened =
    disk && (await openStick({ ...shared, disk, isRequired: mode === 'required', logPin, onFinding: onFault }));
  const stick = opened?.stick ?? null;
  const before = epochs.previous;
  const salt = engine.random(32);
  const salted = (bytes: Uint8Array): string => toBase64Url(engine.sha256(salt, bytes));
  const loaded = appliance?.opening.config ?? {
    hash: salted(canonicalBytes({ ...config, licenceKey: null })),
    version: 0,
  };
  const boot = bootReason({
    statement: left,
    keepsJournal: folder !== null,
    software: version.version,
    machineSeconds: uptime(),
  });
  const opening = { ...appliance?.opening, boot, config: loaded, software: version.version };
  const timing = {
    startedMs,
    quantum,
    ...(stick && { archive: stick }),
    ...(appliance && { timeQuality: () => appliance.timeQuality() }),
  };
  const sequencer = new Sequencer({ ...shared, mode, opening, onFault, ...timing });
  const self = appliance?.self.device.did ?? null;
  const audit = new Audit({ ...shared, sequencer, stick, self, pruneQuorum, freeBytes, onFault });
  audit.did('boot', { reason: boot });
  if (before.source !== 'none') {
    audit.did('import.prev', { origin: before.origin, root: before.tailRoot, size: before.tailSize });
  }
  audit.did('config.loaded', loaded);
  if (licenceKey !== null)
    audit.record({
      act: 'licence.loaded',
      obj: { hash: salted(utf8(licenceKey)) },
      res: 'success',
      src: { id: config.site!.operatorKeyHash, k: 'operator' },
    });
  const src = { id: name, k: 'relay' } as const;
  for (const obj of opened?.lost ?? []) audit.record({ act: 'log.lost', obj, res: 'failure', src });
  if (stick) await stick.begin((draft) => void audit.record(draft));
  else audit.record({ act: 'log.mode', obj: { mode }, res: 'success', src });
  return audit;
}
