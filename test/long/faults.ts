/** What a plant suffers, one fault after the other, at longer intervals than the suites have time for. */
import { lateMs } from '../../protocol/slot-plan.ts';
import { faultRun } from '../fixtures/fault-run.ts';
import { runPart } from './part.ts';

/** Exchanges of one lane: one that was late may stand beside one that was not. */
const MOST = { two: 4, ten: 12 } as const;

await runPart({
  name: 'faults',
  what: 'restart (10 slots), links down (40), a receiver away (240), suspension and starvation (40 each)',
  options: { interval: { standard: 1, help: 'seconds of the sector; 15 is not compressed and takes two hours' } },
  async run(scene, { interval }) {
    const run = await faultRun(scene, {
      directory: scene.directory,
      intervalMs: interval * 1000,
      onFault: (report) => scene.say(JSON.stringify(report)),
    });
    const got = run.received.map(({ data }) => data);
    const seen = new Set(got);
    const missing = run.fed.filter((reading) => !seen.has(reading)).length;
    const doubled = got.length - seen.size;
    const bursts = Object.entries(run.most).filter(([, [two, ten]]) => two > MOST.two || ten > MOST.ten);
    const moved = run.reports.filter(({ position }) => !(position <= lateMs(1)));
    return {
      faults: [
        ...(missing > 0 ? [`${missing} readings were lost`] : []),
        ...(doubled > 0 ? [`${doubled} readings came out twice`] : []),
        ...(run.lost.length > 0 ? [`${run.lost.length} blocks were accepted and never acknowledged`] : []),
        ...bursts.map(([client, [two, ten]]) => `${client}: ${two} and ${ten} exchanges within 2 and 10 intervals`),
        ...moved.map(({ fault, position }) => `after "${fault}" slots open at ${position} of where they did`),
      ],
      figures: {
        readings: got.length,
        'most.sender': run.most.sender.join(' and '),
        'most.receiver': run.most.receiver.join(' and '),
        ...Object.fromEntries(run.reports.map(({ fault, sender, receiver }) => [fault, `${sender} and ${receiver}`])),
        'recorded as missed': `${run.recorded.sender} and ${run.recorded.receiver}`,
      },
    };
  },
});
