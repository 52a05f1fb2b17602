/** Heads of a fixed advance: what anybody may read of the tree's size tells nothing about what happened. */
import t from 'tap';
import { hasRoom, nextHeadSize } from '../../relay/log/quantum.ts';
import { ADOPTED, startAudit, verifyAll, verifyChain } from '../fixtures/audit.ts';

const QUANTUM = 16;

t.test('each head has a quantum more than the one before, whatever happened', async (t) => {
  const { sequencer, pass } = startAudit({ quantum: () => QUANTUM });
  await pass(0);
  for (const records of [0, 3, 15, 16, 0, 24, 0, 1]) {
    for (let i = 0; i < records; i++) sequencer.record(ADOPTED);
    await pass(30_000);
  }
  await sequencer.close();
  const [epoch] = sequencer.epochs;
  const sizes = epoch!.heads.map(({ size }) => size);
  t.same(sizes, [1, ...Array.from({ length: 9 }, (_, i) => 1 + QUANTUM * (i + 1))], 'the last head too');
  const records = verifyAll(t, epoch!);
  t.equal(records.filter(({ act }) => act === 'transfer.adopted').length, 3 + 15 + 16 + 24 + 1);
  t.equal(records.at(-1)!.act, 'log.epoch.close');
});

t.test('what is beyond the quantum waits in its order, is shown by the next head, and is in the journal', async (t) => {
  const folder = t.testdir();
  const { sequencer, epochs, pass } = startAudit({ folder, quantum: () => QUANTUM });
  await pass(0);
  for (let i = 0; i < 20; i++) sequencer.record({ ...ADOPTED, obj: { x: String(i).padStart(32, '0') } } as never);
  await pass(30_000);
  const [epoch] = sequencer.epochs;
  t.equal(epoch!.heads.at(-1)!.size, 1 + QUANTUM);
  t.equal(epoch!.bundle({ level: 'entries', index: 0, width: 18 }), undefined, 'nobody sees what no head covers');
  await pass(30_000);
  t.equal(epoch!.heads.at(-1)!.size, 1 + 2 * QUANTUM);
  for (let i = 20; i < 38; i++) sequencer.record({ ...ADOPTED, obj: { x: String(i).padStart(32, '0') } } as never);
  await pass(30_000);
  epochs.close(); // as if killed, with two records that no head covers
  const next = startAudit({ folder, quantum: () => QUANTUM });
  await next.sequencer.close();
  const found = verifyChain(t, next.sequencer.epochs).flatMap((event) =>
    event.act === 'transfer.adopted' ? Number(event.obj.x) : [],
  );
  t.same(
    found,
    Array.from({ length: 38 }, (_, i) => i),
  );
});

t.test('a transfer has room while its record is in a head within a minute', async (t) => {
  const { sequencer, pass } = startAudit({ quantum: () => QUANTUM });
  await pass(0);
  let taken = 0;
  for (; sequencer.hasRoom; taken++) sequencer.record(ADOPTED);
  t.equal(taken, 2 * QUANTUM - QUANTUM / 4, 'a quarter is kept for what cannot be put off');
  await pass(30_000);
  t.ok(sequencer.hasRoom);
  await pass(30_000);
  t.equal(sequencer.epochs[0]!.heads.at(-1)!.size, 1 + 2 * QUANTUM, 'after a minute all of them are covered');
  t.equal(hasRoom(5, 1_000_000, 1), true, 'without a quantum nothing is refused');
  t.equal(nextHeadSize(5, 9, 1), 9);
});

t.test('an epoch ends at a head, and the quantum may change from head to head', async (t) => {
  let quantum = 16;
  const { sequencer, pass } = startAudit({ quantum: () => quantum, maxLeaves: 200 });
  await pass(0);
  for (let i = 0; i < 12; i++) {
    if (i === 2) quantum = 32;
    for (let n = 0; n < i; n++) sequencer.record(ADOPTED);
    await pass(30_000);
  }
  t.same(
    sequencer.epochs[0]!.heads.map(({ size }) => size),
    [1, 17, 33, 65, 97, 129, 161],
  );
  t.ok(sequencer.epochs.length > 1);
  for (const epoch of sequencer.epochs.slice(0, -1)) t.equal(epoch.heads.at(-1)!.size, epoch.tail!.size);
  const seconds = sequencer.epochs.flatMap(({ heads }) => heads.map((head) => head.seconds - 1_800_000_000));
  const rhythm = [...new Set(seconds.map((second) => second - (second % 30)))];
  t.same(
    rhythm,
    Array.from({ length: 13 }, (_, i) => 30 * i),
    'no head is missing',
  );
});
