/** The power cut under a relay that needs its stick, often; and the whole fault matrix of the stick. */

import { cutRun } from '../fixtures/stick-cut-run.ts';
import { whyNoImages } from '../fixtures/stick-image.ts';
import { cleanRun, missingAfterFault } from '../fixtures/stick-run.ts';
import { runPart } from './part.ts';

const REPORT_EVERY = 10;

await runPart({
  name: 'stick',
  what: 'power cuts under a relay with audit mode required, then every step of the stick failing once (needs root)',
  options: { rounds: { standard: 100, help: 'power cuts' } },
  async run(scene, { rounds }) {
    const { directory, say } = scene;
    const why = whyNoImages('ext4', directory);
    if (why) return { faults: [why], figures: {} };
    const { receipts, faults } = await cutRun(scene, {
      directory,
      kind: 'ext4',
      rounds,
      onRound: (round, told) => {
        if (round % REPORT_EVERY === 0) say(`${round} power cuts, ${told} receipts`);
      },
    });
    const { steps } = await cleanRun();
    const lost: string[] = [];
    for (const number of steps.keys()) {
      for (const kept of [false, true]) {
        for (const what of await missingAfterFault(number, kept)) lost.push(`step ${number}, kept ${kept}: ${what}`);
      }
    }
    return { faults: [...faults, ...lost], figures: { receipts, steps: steps.length } };
  },
});
