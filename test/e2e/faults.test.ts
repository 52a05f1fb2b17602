/**
 * What a plant suffers, compressed: an interval of 0.1 s stands for the default of 15 s, so ten minutes are 40 slots and
 * an hour is 240. The slots stay where they are, missed ones are counted and recorded, nothing is lost, no burst follows.
 * Steps of clocks have clock-steps.test.ts, wires that fail in network namespaces link.test.ts.
 */
import t from 'tap';
import { lateMs } from '../../protocol/slot-plan.ts';
import { FAULTS, faultRun } from '../fixtures/fault-run.ts';

t.setTimeout(180_000);

const INTERVAL_MS = 100;
/** An exchange that was late may stand beside one that was not. */
const MOST = { two: 4, ten: 12 } as const;

t.test(
  'restart, dead links, a receiver away, suspension, starvation: the grid stays, nothing is lost, no burst',
  async (t) => {
    const run = await faultRun(t, {
      directory: t.testdir(),
      intervalMs: INTERVAL_MS,
      onFault: (report) => t.comment(JSON.stringify(report)),
    });
    const got = run.received.map(({ data }) => data);
    t.same(got.toSorted(), run.fed.toSorted(), 'every reading came out once');
    t.same(run.lost, [], 'every block that was accepted was acknowledged');
    t.match(run.sender, { ok: true, undelivered: 0, refused: 0 });
    t.match(run.receiver, { ok: true, rejects: 0 });

    for (const [client, [two, ten]] of Object.entries(run.most)) {
      t.ok(two <= MOST.two && ten <= MOST.ten, `${client}: ${two} and ${ten} exchanges in 2 and 10 intervals`);
    }
    for (const { fault, position } of run.reports) {
      t.ok(position <= lateMs(1), `after "${fault}" the slots open where they did: ${position}`);
    }
    const counted = Object.fromEntries(run.reports.map((report) => [report.fault, report]));
    for (const fault of ['relay restart', 'links down', 'clients suspended'] as const) {
      const { sender, receiver } = counted[fault]!;
      const slots = FAULTS[fault] - 1;
      t.ok(
        sender >= slots && receiver >= slots,
        `"${fault}" cost the sender ${sender} slots, the receiver ${receiver}`,
      );
    }
    const { sender, receiver } = run.recorded;
    t.ok(sender >= FAULTS['clients suspended'] - 1, `the audit log says that the sender missed ${sender} in a row`);
    t.ok(receiver >= FAULTS['receiver gone'] - 1, `and the receiver ${receiver}`);
  },
);
