import t from 'tap';
import { MAX_SOURCES, sourceOf, Throttle } from '../../relay/http/throttle.ts';

const MINUTE = 60_000;

t.test('a source that failed as often as it may is spent, until time gives it back', async (t) => {
  const throttle = new Throttle(6);
  t.notOk(throttle.isSpent('a', 0));
  for (let i = 0; i < 6; i++) t.ok(throttle.failed('a', 0), 'each of the first is told');
  t.ok(throttle.isSpent('a', 0));
  t.notOk(throttle.failed('a', 0), 'the next is not');
  t.notOk(throttle.isSpent('b', 0), 'another source is another matter');
  t.ok(throttle.isSpent('a', 9_999));
  t.notOk(throttle.isSpent('a', 10_000), 'one in ten seconds');
  t.ok(throttle.failed('a', 10_000));
  t.ok(throttle.isSpent('a', 10_000));
  for (let i = 0; i < 6; i++) t.ok(throttle.failed('a', 1000 * MINUTE), 'a bucket is full when it is full');
  t.ok(throttle.isSpent('a', 1000 * MINUTE));
});

t.test('what was not told one by one is told once a minute', async (t) => {
  const throttle = new Throttle(1);
  throttle.failed('a', 0);
  t.same(throttle.takeOverflow(MINUTE), [], 'it was told');
  for (let i = 0; i < 1000; i++) throttle.failed('b', i);
  t.same(throttle.takeOverflow(MINUTE - 1), []);
  t.same(throttle.takeOverflow(MINUTE + 1), [{ source: 'b', failures: 999 }]);
  t.same(throttle.takeOverflow(2 * MINUTE), [], 'each failure once');
});

t.test('a fixed number of sources is remembered, and the one that failed longest ago is not', async (t) => {
  const throttle = new Throttle(1);
  for (let i = 0; i < MAX_SOURCES; i++) throttle.failed(`source ${i}`, 0);
  throttle.failed('source 0', 0);
  throttle.failed('another', 0);
  t.ok(throttle.isSpent('source 0', 0), 'it failed again');
  t.notOk(throttle.isSpent('source 1', 0));
  t.ok(throttle.isSpent('source 2', 0));
});

t.test('a question is no failure and takes no room', async (t) => {
  const throttle = new Throttle(1);
  throttle.failed('a', 0);
  for (let i = 0; i < MAX_SOURCES; i++) throttle.isSpent(`source ${i}`, 0);
  t.ok(throttle.isSpent('a', 0));
});

t.test('one source is an IPv4 address, or 64 bits of an IPv6 one', async (t) => {
  t.equal(sourceOf('10.1.2.3'), '10.1.2.3');
  t.equal(sourceOf('::ffff:10.1.2.3'), '10.1.2.3');
  t.equal(sourceOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2::/64');
  t.equal(sourceOf('2001:db8:1:2::6'), '2001:db8:1:2::/64');
  t.equal(sourceOf('2001:db8::6'), '2001:db8:0:0::/64');
  t.equal(sourceOf('2001:db8:1::'), '2001:db8:1:0::/64');
  t.equal(sourceOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(sourceOf('::1'), '0:0:0:0::/64');
  t.equal(sourceOf(undefined), 'unknown');
});
