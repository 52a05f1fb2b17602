import t from 'tap';
import { answerMs, buildMs, lateMs, windowMs } from '../../protocol/slot-plan.ts';

t.test('what a slot holds ends within it: built before, sent late, answered', async (t) => {
  for (const intervalMs of [100, 1000, 15_000]) {
    t.equal(windowMs(intervalMs), 0.6 * intervalMs);
    t.equal(answerMs(intervalMs), 0.1 * intervalMs);
    t.ok(lateMs(intervalMs) + windowMs(intervalMs) + answerMs(intervalMs) <= intervalMs, 'the latest one ends in time');
    t.ok(buildMs(intervalMs) < intervalMs);
  }
});
