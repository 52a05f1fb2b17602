/** The relay killed under load, often. */
import { killRun } from '../fixtures/kill-run.ts';
import { runPart } from './part.ts';

const REPORT_EVERY = 50;

await runPart({
  name: 'kill',
  what: 'the relay with a tmpfs store, killed at random moments under load',
  options: { kills: { standard: 500, help: 'how often' } },
  async run(scene, { kills }) {
    const books = await killRun(scene, {
      directory: scene.directory,
      kills,
      onKill: (done, { counts }) => {
        if (done % REPORT_EVERY === 0) scene.say(`${done} kills, ${counts.accepted} blocks accepted`);
      },
    });
    const lost = books.lost();
    return {
      faults: [...books.faults, ...lost.map((hash) => `${hash} was accepted and lost`)],
      figures: { ...books.counts, lost: lost.length },
    };
  },
});
