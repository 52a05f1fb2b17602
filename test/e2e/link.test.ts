/** A link that fails between a client and the relay: in network namespaces of the test's own, with the real commands. */
import t from 'tap';
import { type Fault, linkRun } from '../fixtures/link-run.ts';
import { whyNoNamespaces } from '../fixtures/network-namespaces.ts';

t.setTimeout(180_000);

const INTERVAL_MS = 1000;
/** A client waits 5 s for a byte of the relay and 5 s for a connection; after a wait of 30 s it would be 30 slots. */
const MOST_SLOTS = 12;
const FAULTS: readonly Fault[] = [
  { leg: 'ot', how: 'silently', ms: 9_000 },
  { leg: 'it', how: 'silently', ms: 9_000 },
  { leg: 'ot', how: 'stranded', ms: 7_000 },
  { leg: 'it', how: 'stranded', ms: 7_000 },
  { leg: 'ot', how: 'unplugged', ms: 2_000 },
  { leg: 'it', how: 'down', ms: 2_000 },
  { leg: 'ot', how: { lose: 30 }, ms: 4_000 },
];

const why = whyNoNamespaces();
t.test('a link that fails loses nothing, doubles nothing and is made up for by no burst', { skip: why }, async (t) => {
  const run = await linkRun(t, { directory: t.testdir(), intervalMs: INTERVAL_MS, faults: FAULTS });
  t.same(
    run.received.map(({ data }) => data),
    run.fed,
    'every reading came out once, in order',
  );
  t.match(run.sender, { ok: true, records: run.fed.length, undelivered: 0, refused: 0 });
  t.match(run.receiver, { ok: true, records: run.fed.length, rejects: 0 });
  t.ok(run.mostAccepted <= 12, `${run.mostAccepted} blocks within ten intervals`);
  for (const { fault, slotsToRecover } of run.reports) {
    t.ok(
      slotsToRecover <= MOST_SLOTS,
      `${JSON.stringify(fault)}: the next block came ${slotsToRecover} slots after it`,
    );
  }
});
