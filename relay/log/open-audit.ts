/** The audit log that a configuration asks for, with what earlier processes left of it, and its first records. */
import { utf8 } from '../../protocol/bytes.ts';
import { canonicalBytes } from '../../protocol/canonical.ts';
import type { RelayConfig } from '../../protocol/config.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { toBase64Url } from '../../protocol/text.ts';
import type { RelayIdentity } from '../identity.ts';
import type { Log } from '../monitor/event-log.ts';
import type { Version } from '../version.ts';
import { Audit } from './audit.ts';
import { Epochs } from './epochs.ts';
import { openStick } from './open-stick.ts';
import { Sequencer } from './sequencer.ts';
import { SignerThread } from './signer-thread.ts';
import { folderDisk } from './stick-disk.ts';

const MIB = 2 ** 20;

export interface OpenAuditOptions {
  readonly engine: Engine;
  /** Its log seed is handed over to the signer. */
  readonly identity: RelayIdentity;
  readonly version: Version;
  /** Monotonic milliseconds, and when the process began by them. */
  readonly now: () => number;
  readonly startedMs: number;
  readonly log: Log;
}

/** Opens the log. Nobody else may use the store's folder. */
export async function openAudit(config: RelayConfig, options: OpenAuditOptions): Promise<Audit> {
  const { engine, identity, version, now, startedMs, log } = options;
  const { mode, ramMiB, stick: onStick } = config.audit;
  const { name, store, licenceKey } = config;
  const tell = (fact: string): void => log.warn({ fact }, 'audit');
  const signer = new SignerThread(identity.logSeed);
  const epochs = new Epochs({
    engine,
    logPin: identity.logPin,
    folder: store.kind === 'tmpfs' && mode !== 'none' ? store.path : null,
    limitBytes: ramMiB * MIB,
    onFinding: tell,
  });
  const wall = () => Date.now();
  const { logPin } = identity;
  const isRequired = mode === 'required';
  const opened =
    onStick &&
    (await openStick({
      engine,
      disk: folderDisk(onStick.path),
      epochs,
      signer,
      isRequired,
      logPin,
      name,
      now,
      wall,
      onFinding: tell,
    }));
  const salt = engine.random(32);
  const salted = (bytes: Uint8Array): string => toBase64Url(engine.sha256(salt, bytes));
  const loaded = { hash: salted(canonicalBytes({ ...config, licenceKey: null })), version: 0 };
  const opening = { boot: 'unknown', config: loaded, software: version.version } as const;
  const sequencer = new Sequencer({
    engine,
    signer,
    epochs,
    mode,
    ...(opened && { archive: opened.stick }),
    name,
    opening,
    now,
    startedMs,
    wall,
    onFault: tell,
  });
  const audit = new Audit({ engine, sequencer, signer, epochs, stick: opened?.stick ?? null, name, now });
  audit.did('boot', { reason: 'unknown' });
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
  if (opened) await opened.stick.begin((draft) => void audit.record(draft));
  else audit.record({ act: 'log.mode', obj: { mode }, res: 'success', src });
  return audit;
}
