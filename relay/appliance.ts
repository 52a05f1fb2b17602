/** What a relay on an appliance is told of its boot: for leaf 0 of its log, for the time of its records, and `self`. */
import { existsSync } from 'node:fs';
import { BOOT_STATEMENT_LIMIT, type BootStatement, bootStatement } from '../protocol/boot-statement.ts';
import type { RelayConfig } from '../protocol/config.ts';
import type { EpochOpening } from '../protocol/epoch-opening.ts';
import type { LogEvent } from '../protocol/log-record.ts';
import { check } from '../protocol/shape.ts';
import { readJson, readSelf, type SelfDevice } from './members/self-device.ts';
import { SelfTest } from './monitor/self-tested.ts';

/** How often the state of the clock is looked at. */
const LOOK_MS = 1000;

export interface Appliance {
  readonly self: SelfDevice;
  readonly test: SelfTest;
  /** What leaf 0 says beside what every relay says. */
  readonly opening: Pick<EpochOpening, 'config'> & { readonly image?: string };
  /** How far the wall clock is to be believed now. */
  timeQuality(): LogEvent['tq'];
}

/** Null for a relay on a host; `now` gives monotonic milliseconds. Refuses `config-missing` and `file-invalid`. */
export async function readAppliance(places: RelayConfig['appliance'], now: () => number): Promise<Appliance | null> {
  if (!places) return null;
  const self = await readSelf(places.self);
  const parse = (value: unknown): BootStatement => check(bootStatement, value);
  const statement = await readJson(places.statement, BOOT_STATEMENT_LIMIT, parse);
  const { config, image } = statement;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let quality: LogEvent['tq'] = 'none';
  return {
    self,
    test: new SelfTest(self.device.did, now),
    opening: { config, ...(image === undefined ? {} : { image }) },
    timeQuality() {
      if (now() - lookedMs < LOOK_MS) return quality;
      lookedMs = now();
      quality = qualityOf(statement, existsSync(places.synchronized), Date.now());
      return quality;
    },
  };
}

/** `ntp` once a time server has set the clock, `none` while it says less than when the image was built. */
export function qualityOf(
  { buildMs, clock }: Pick<BootStatement, 'buildMs' | 'clock'>,
  isSynchronized: boolean,
  wallMs: number,
): LogEvent['tq'] {
  if (isSynchronized) return 'ntp';
  if (wallMs < buildMs) return 'none';
  return clock === 'operator' ? 'operator' : 'build';
}
