/**
 * Every parser that meets bytes from outside.
 *
 * To add one, two lines. A row in a file of `targets/`: its name, seeds that it accepts, the mutator that suits them
 * (`bytesMutator` for layouts, `jsonMutator` for documents), and `run`, which hands over the input and calls
 * `requireSame` with what the accepted value encodes to. And its share in shares.ts: try `npm run test:long -- fuzz
 * --target NAME --inputs 10000`, and take about 40,000 divided by the microseconds that an input took. Where a hash or
 * a signature hides the parser, let inputs be what stands behind it and put it around them in `run`, as
 * `slot-record` and `grant-signed` do. A file is written with `inFolder` (targets/files.ts).
 */
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
