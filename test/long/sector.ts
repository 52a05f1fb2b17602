/** A hundred senders and their receiver lanes against one relay. */
import { sectorRun } from '../fixtures/sector-run.ts';
import { runPart } from './part.ts';

/** By how much of a slot for each sender the slots in use may grow: they are counted at any moment of an interval. */
const MOST_GROWTH = 0.25;

await runPart({
  name: 'sector',
  what: 'senders and their receivers, all with real commands, against one relay: no slot missed, slots in use flat',
  options: {
    senders: { standard: 100, help: 'how many' },
    bytes: { standard: 262_144, help: 'of a block' },
    interval: { standard: 15, help: 'seconds of the sector' },
    slots: { standard: 40, help: 'that count' },
  },
  async run(scene, { senders, bytes, interval, slots }) {
    const run = await sectorRun(scene, {
      directory: scene.directory,
      senders,
      blockBytes: bytes,
      intervalMs: interval * 1000,
      slots,
      say: (progress) => scene.say(progress),
    });
    const { slotsUsed, blocks, given, received, relayMiB, problems } = run;
    const growth = slotsUsed.after - slotsUsed.before;
    return {
      faults: [
        ...(['senders', 'receivers'] as const).flatMap((kind) => {
          const { missed, failed } = run[kind];
          return missed + failed > 0 ? [`the ${kind} missed ${missed} slots and failed in ${failed}`] : [];
        }),
        ...(received < given ? [`of ${given} files ${received} came out`] : []),
        ...(growth > MOST_GROWTH * senders ? [`slots in use grew by ${growth}`] : []),
      ],
      figures: {
        blocks,
        files: received,
        relayMiB,
        problems: problems.join(' '),
        slotsUsed: `${slotsUsed.before}, then ${slotsUsed.after}, at most ${slotsUsed.most}`,
      },
    };
  },
});
