/** Which heads stand in the feed, and how. */
import fc from 'fast-check';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { type FeedHead, feedHeads, feedXml } from '../../relay/log/feed.ts';
import { withHead } from '../../relay/log/heads.ts';
import type { LogView, PublishedHead } from '../../relay/log/log-view.ts';
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

t.test('the last 20 heads, and one of each hour of a week', async (t) => {
  const seen = feedHeads(longLog(9));
  t.equal(seen.length, 20 + 168);
  t.same(
    seen.slice(0, 20).map(({ size }) => size),
    Array.from({ length: 20 }, (_, i) => 9 * 2880 - i),
  );
  t.same(
    seen.slice(20).filter(({ seconds }) => !isLast(seconds)),
    [],
  );
});

t.test('a clock that went back hides no head of before', async (t) => {
  const [head] = small.epoch.heads;
  const at = (origin: string, first: number) => ({
    ...small.epoch,
    origin,
    heads: Array.from({ length: 60 }, (_, i) => ({ ...head!, size: i + 1, seconds: first + 600 * i })),
  });
  const { epochs } = { epochs: [at('a', SECONDS), at('b', SECONDS - 7200)] };
  const before = feedHeads({ mode: 'none', epochs: epochs.slice(0, 1) }).slice(20);
  const guids = new Set(feedHeads({ mode: 'none', epochs }).map(guidOf));
  t.ok(before.length >= 6);
  t.same(
    before.filter((each) => !guids.has(guidOf(each))),
    [],
  );
});

t.test('a weekly reader misses the last head of no hour, over gaps and new epochs', async () => {
  const [head] = small.epoch.heads;
  /** Seconds to the next head, whether an epoch begins with it, and whether the reader looks after it. */
  const step = fc.record({
    wait: fc.oneof({ weight: 300, arbitrary: fc.integer({ min: 30, max: 900 }) }, fc.integer({ min: 30, max: 90_000 })),
    opens: fc.nat({ max: 30 }).map((n) => n === 0),
    looks: fc.nat({ max: 2000 }).map((n) => n === 0),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 4000, size: 'max' }), (steps) => {
      const epochs = [{ ...small.epoch, origin: '0', heads: [] as readonly PublishedHead[] }];
      const lasts = new Map<number, string>();
      const seen = new Set<string>();
      let [seconds, lookedAt] = [SECONDS, SECONDS];
      const look = () => {
        for (const each of feedHeads({ mode: 'none', epochs })) seen.add(guidOf(each));
        lookedAt = seconds;
      };
      for (const [i, { wait, opens, looks }] of steps.entries()) {
        if (seconds + wait - lookedAt >= 7 * 86_400) look(); // a reader keeps to the week
        seconds += wait;
        if (opens) epochs.push({ ...small.epoch, origin: String(epochs.length), heads: [] });
        const newest = epochs.at(-1)!;
        newest.heads = withHead(newest.heads, { ...head!, size: i + 1, seconds });
        lasts.set(Math.floor(seconds / 3600), guidOf({ origin: newest.origin, size: i + 1, seconds }));
        if (looks) look();
      }
      look();
      return [...lasts.values()].every((guid) => seen.has(guid)) && feedHeads({ mode: 'none', epochs }).length <= 188;
    }),
    { numRuns: 40, endOnFailure: true },
  );
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

function guidOf({ origin, size, seconds }: Pick<FeedHead, 'origin' | 'size' | 'seconds'>): string {
  return `${origin}#${size}@${seconds}`;
}

function isLast(seconds: number): boolean {
  return seconds === NEWEST || Math.floor(seconds / 3600) !== Math.floor((seconds + 30) / 3600);
}
