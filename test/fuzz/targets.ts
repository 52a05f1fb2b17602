/** Every parser that meets bytes from outside. */

import { makeSite } from '../fixtures/site.ts';
import type { Target } from './target.ts';
import { blockTargets } from './targets/blocks.ts';
import { documentTargets } from './targets/documents.ts';
import { fileTargets } from './targets/files.ts';
import { logTargets } from './targets/log.ts';
import { wireTargets } from './targets/wire.ts';

/** All targets in this process; `folder` is empty and theirs. */
export function makeTargets(folder: string): Target[] {
  const site = makeSite({
    directory: folder,
    devices: [
      { name: 'plc-A1', roles: ['send'], zone: 'ot' },
      { name: 'historian', roles: ['receive'], zone: 'it' },
    ],
    routes: [{ from: 'plc-A1', to: ['historian'] }],
  });
  return [...wireTargets(), ...blockTargets(), ...documentTargets(site), ...fileTargets(site, folder), ...logTargets()];
}
