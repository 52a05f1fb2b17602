/** Silence of senders, as a receiver tells it to its sink. */
import t from 'tap';
import { Silence } from '../../tools/receiver/silence.ts';
import type { DeviceNote } from '../../tools/receiver/sink.ts';

const REPORT = { sourceState: 'failed', backlogRecords: 3, backlogAgeMs: 9000 } as const;

/** Ends a slot whose notes all reach the sink; gives them as `sender state slots`. */
function slot(silence: Silence, senders: readonly string[] = ['plc'], lanes = 2): string[] {
  const notes = silence.slot(senders, lanes);
  for (const note of notes) silence.told(note);
  return notes.map(({ sender, state, silentSlots }) => `${sender} ${state} ${silentSlots}`);
}

t.test('a sender is stale after three slots without a block, once, and live with the next block', async (t) => {
  const silence = new Silence();
  silence.heard('plc', REPORT);
  for (let i = 0; i < 3; i++) t.strictSame(slot(silence), []);
  t.equal(silence.stale, 0);
  t.strictSame(slot(silence), ['plc stale 3']);
  t.strictSame([silence.stale, silence.longestSlots, silence.backlogAgeMs], [1, 3, 9000]);
  t.strictSame(slot(silence), []);
  silence.heard('plc', null);
  t.strictSame(slot(silence), ['plc live 0']);
  t.strictSame([silence.stale, silence.longestSlots, silence.backlogAgeMs], [0, 0, 0]);
});

t.test('one that never said anything is silent too; one that left is nothing', async (t) => {
  const silence = new Silence();
  for (let i = 0; i < 3; i++) slot(silence);
  t.strictSame(slot(silence), ['plc stale 3']);
  t.strictSame(slot(silence, []), []);
  t.equal(silence.stale, 0);
});

t.test('what the sink did not take is told again; where senders take turns, each has its own time', async (t) => {
  const silence = new Silence();
  for (let i = 0; i < 3; i++) slot(silence);
  const [first] = silence.slot(['plc'], 2) as [DeviceNote];
  t.strictSame(silence.slot(['plc'], 2), [], 'not while the sink is being told');
  silence.notTold(first);
  const [again] = silence.slot(['plc'], 2) as [DeviceNote];
  t.match([first.state, again.state], ['stale', 'stale']);

  const shared = new Silence();
  const senders = ['a', 'b', 'c'];
  const notes = Array.from({ length: 10 }, () => slot(shared, senders, 1).length);
  t.strictSame(notes, [0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
});
