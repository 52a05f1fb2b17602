/** A link down for long, in each leg in turn. */
import { type Fault, linkRun } from '../fixtures/link-run.ts';
import { whyNoNamespaces } from '../fixtures/network-namespaces.ts';
import { runPart } from './part.ts';

const FAULTS = [
  { leg: 'ot', how: 'silently' },
  { leg: 'it', how: 'silently' },
] as const;

await runPart({
  name: 'link',
  what: 'the link between a client and the relay down, in each leg in turn; needs root',
  options: {
    minutes: { standard: 10, help: 'how long each time' },
    interval: { standard: 1, help: 'seconds of the sector' },
  },
  async run(scene, { minutes, interval }) {
    const why = whyNoNamespaces();
    if (why) return { faults: [why], figures: {} };
    const faults: Fault[] = FAULTS.map((fault) => ({ ...fault, ms: minutes * 60_000 }));
    const run = await linkRun(scene, {
      directory: scene.directory,
      intervalMs: interval * 1000,
      faults,
      onFault: ({ fault, slotsToRecover }) => scene.say(`${fault.leg} is up again after ${slotsToRecover} slots`),
    });
    const got = run.received.map(({ data }) => data);
    const seen = new Set(got);
    const missing = run.fed.filter((reading) => !seen.has(reading));
    const doubled = got.length - seen.size;
    return {
      faults: [
        ...(missing.length > 0 ? [`${missing.length} readings were lost`] : []),
        ...(doubled > 0 ? [`${doubled} readings came out twice`] : []),
        ...(run.mostAccepted > 12 ? [`${run.mostAccepted} blocks within ten intervals`] : []),
      ],
      figures: {
        readings: run.fed.length,
        lost: missing.length,
        doubled,
        mostWithinTenIntervals: run.mostAccepted,
        slotsToRecoverOt: run.reports[0]!.slotsToRecover,
        slotsToRecoverIt: run.reports[1]!.slotsToRecover,
        failedSlots: `${run.sender.failedSlots} and ${run.receiver.failedSlots}`,
      },
    };
  },
});
