/**
 * Draws docs/zones.svg: the plan of the site that docs/zones.md makes. Run by hand when the plan looks otherwise:
 *
 *     node test/structure/make-zones.ts
 *
 * A test checks that the file is what this draws.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEFAULT_BLOCK_BYTES } from '../../protocol/block.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { enrolDevice } from '../../tools/provision/device.ts';
import { createSite } from '../../tools/provision/new-site.ts';
import { type JudgedPlan, planOf } from '../../tools/provision/plan/model.ts';
import { readRelayFile } from '../../tools/provision/plan/relay-file.ts';
import { planSvg } from '../../tools/provision/plan/svg.ts';

export const ZONES_PICTURE = join(import.meta.dirname, '..', '..', 'docs', 'zones.svg');

/** The plan of docs/zones.md. */
export function planOfPage(): JudgedPlan {
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-zones-'));
  try {
    const site = createSite(engine, join(folder, 'site'), {
      name: 'plant-1',
      urls: { ot: 'https://10.20.0.1:3000', it: 'https://192.168.7.2:3000', management: 'https://172.16.0.2:3000' },
      blockSize: DEFAULT_BLOCK_BYTES,
      intervalMs: 15_000,
      slots: 64,
    });
    const to = ['historian'];
    const devices = [
      { name: 'historian', roles: ['receive'], zone: 'it', to: [], groups: [] },
      { name: 'plc-A1', roles: ['send'], zone: 'ot', to, groups: [] },
      { name: 'plc-A2', roles: ['send'], zone: 'ot', to, groups: [] },
    ] as const;
    for (const device of devices)
      enrolDevice(engine, site, device, { folder: join(folder, device.name), profile: 'iot' });
    const interfaces = { ot: 'eth0', it: 'eth1', management: 'eth2' };
    const request = { board: 'pi4', linkMbit: null, absentMinutes: 1, interfaces } as const;
    return planOf(site.roster, readRelayFile(site.path, site.settings), request);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

if (import.meta.main) writeFileSync(ZONES_PICTURE, planSvg(planOfPage()));
