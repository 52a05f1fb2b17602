/** The relay killed under load, often: every answer of it must have its record in the union of epochs. */
import { killRun } from '../fixtures/kill-run.ts';
import { type Missing, missingIn } from '../fixtures/recorded.ts';
import { runPart } from './part.ts';

const REPORT_EVERY = 20;

await runPart({
  name: 'log-kill',
  what: 'the relay killed at random moments under load: every answer has its record in the audit log',
  options: { kills: { standard: 200, help: 'how often' } },
  async run(scene, { kills }) {
    let missing: Missing | undefined;
    const books = await killRun(scene, {
      directory: scene.directory,
      kills,
      onKill: (done, { counts }) => {
        if (done % REPORT_EVERY === 0) scene.say(`${done} kills, ${counts.accepted} blocks accepted`);
      },
      inspect: (folder, answered) => {
        missing = missingIn(folder, answered);
      },
    });
    const { accepted, burned, epochs, records } = missing!;
    return {
      faults: [
        ...books.faults,
        ...accepted.map((id) => `${id} was accepted and has no record`),
        ...burned.map((id) => `${id} was burned and has no record of the ack`),
      ],
      figures: { ...books.counts, epochs, records, withoutRecord: accepted.length + burned.length },
    };
  },
});
