/** The stick: what it promises in each mode, what stands on it, and what becomes of that when anything fails. */
import t from 'tap';
import { ADOPTED, recordsOf, verifyAll } from '../fixtures/audit.ts';
import { MemoryStick } from '../fixtures/memory-stick.ts';
import { startOnStick } from '../fixtures/stick.ts';

t.test('a record is durable before anybody is answered, and the next process finds it', async (t) => {
  const disk = new MemoryStick();
  const { sequencer, stick, pass, findings } = await startOnStick(disk);
  t.equal(sequencer.mode, 'required');
  let last = 0;
  for (let i = 0; i < 700; i++) {
    last = sequencer.record(ADOPTED).index;
    if (i % 10 === 0) t.equal(await stick.settled(), 'durable');
  }
  t.equal(await stick.settled(), 'durable');
  await pass(30_000);
  t.same(findings, []);
  const next = await startOnStick(disk.cut(0));
  const [before, epoch] = next.sequencer.epochs;
  t.equal(next.sequencer.epochs.length, 2);
  t.ok(before!.tail!.size > last);
  verifyAll(t, before!);
  const [opening] = recordsOf(epoch!);
  t.match(opening, { obj: { prev: { source: 'stick', origin: before!.origin, tailSize: before!.tail!.size } } });
  console.log(next.findings, disk.files, next.stick.mode);
});
