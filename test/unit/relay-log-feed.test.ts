/** Which heads stand in the feed, and how. */
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { feedHeads, feedXml } from '../../relay/log/feed.ts';
import type { LogView } from '../../relay/log/log-view.ts';
import { SECONDS } from '../fixtures/log.ts';
import { smallLog } from '../fixtures/log-view.ts';

/** Time of the newest head after nine days. */
const NEWEST = SECONDS + 30 * (9 * 2880 - 1);
const small = smallLog(engine, [1]);

/** A log with a head each 30 s for `days`. */
function longLog(days: number, origin?: string): LogView {
  const [head] = small.epoch.heads;
  const heads = Array.from({ length: days * 2880 }, (_, i) => ({ ...head!, size: i + 1, seconds: SECONDS + 30 * i }));
  return { mode: 'none', epochs: [{ ...small.epoch, ...(origin && { origin }), heads }] };
}

t.test('a reader that comes once a week finds a head of each hour, the same at each visit', async (t) => {
  const log = longLog(9);
  const seen = feedHeads(log);
  t.equal(seen.length, 168 + 1 + 20 - seen.slice(0, 20).filter(({ seconds }) => isLast(seconds)).length);
  t.same(
    seen.slice(0, 20).map(({ size }) => size),
    Array.from({ length: 20 }, (_, i) => 9 * 2880 - i),
  );
  const earlier = new Set(
    feedHeads({ ...log, epochs: [{ ...log.epochs[0]!, heads: log.epochs[0]!.heads.slice(0, -720) }] }).map(
      ({ size }) => size,
    ),
  );
  const hours = seen.slice(20).filter(({ seconds }) => seconds < SECONDS + 30 * (9 * 2880 - 720 - 20));
  t.ok(hours.length > 100);
  t.same(hours.filter(({ size }) => !earlier.has(size)).slice(1), [], 'an hour keeps its head');
});

t.test('what XML would read as its own is escaped', async (t) => {
  const xml = feedXml(longLog(1, 'a&b<c>/audit/1'));
  t.match(xml, '<title>a&amp;b&lt;c&gt;/audit/1 at size 2880</title>');
  t.notMatch(xml, /&(?!amp;|lt;|gt;)/);
});

t.test('a log without heads has an empty feed', async (t) => {
  t.same(feedHeads({ mode: 'none', epochs: [] }), []);
  t.notMatch(feedXml({ mode: 'none', epochs: [] }), '<item>');
});

function isLast(seconds: number): boolean {
  return seconds === NEWEST || Math.floor(seconds / 3600) !== Math.floor((seconds + 30) / 3600);
}
