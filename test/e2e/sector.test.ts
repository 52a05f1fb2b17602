/** Twenty senders and a receiver with a lane for each and a quarter more: `npm run test:long -- sector` has a hundred. */
import t from 'tap';
import { sectorRun } from '../fixtures/sector-run.ts';

t.setTimeout(120_000);

const SENDERS = 20;
const SLOTS = 8;
const INTERVAL_MS = 2000;

/** A machine that does other work beside may cost a few; the long part allows none. */
const MOST_MISSED = (SENDERS * SLOTS) / 10;

t.test('twenty senders keep their slots, and all arrives', async (t) => {
  const run = await sectorRun(t, {
    directory: t.testdir(),
    senders: SENDERS,
    blockBytes: 65_536,
    intervalMs: INTERVAL_MS,
    slots: SLOTS,
    say: (progress) => t.comment(progress),
  });
  t.comment(JSON.stringify(run));
  t.equal(run.received, run.given, 'every file came out');
  for (const { missed, failed } of [run.senders, run.receivers]) {
    t.equal(failed, 0, 'no exchange failed');
    t.ok(missed <= MOST_MISSED, `${missed} slots were missed`);
  }
  t.ok(run.blocks >= SENDERS * SLOTS - MOST_MISSED, `${run.blocks} blocks in ${SLOTS} slots of ${SENDERS} senders`);
});
