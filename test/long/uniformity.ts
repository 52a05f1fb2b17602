/** What a watcher of the wire can tell, over so many slots that a small difference would show. */
import { INTERVAL_MS, prove, roundsFor } from '../uniformity/proof.ts';
import { whyNoProof } from '../uniformity/requirements.ts';
import { judge, LONG_SLOTS } from '../uniformity/verdict.ts';
import { runPart } from './part.ts';

await runPart({
  name: 'uniformity',
  what: `slots of ${INTERVAL_MS / 1000} s, eventful and quiet ones, as a watcher of the wire sees them; needs root`,
  options: { slots: { standard: LONG_SLOTS, help: 'watched slots of each wire' } },
  async run(scene, { slots }) {
    const why = whyNoProof();
    if (why) return { faults: [why], figures: {} };
    const { directory, say } = scene;
    const proof = await prove(scene, { directory, intervalMs: INTERVAL_MS, rounds: roundsFor(slots), say });
    const { faults, captures, ...figures } = judge(proof, true);
    const each = captures.flatMap(({ name, auc, miBits, paired }) => [
      [`${name}.auc`, auc] as const,
      [`${name}.miBits`, miBits] as const,
      ...paired.map(({ what, medianMs, lowMs, highMs }) => {
        return [`${name}.${what}`, `${medianMs} ms (${lowMs} to ${highMs})`] as const;
      }),
    ]);
    const said = Object.entries(figures).map(([name, value]) => [name, value ?? 'not measured'] as const);
    return { faults, figures: Object.fromEntries([...said, ...each]) };
  },
});
