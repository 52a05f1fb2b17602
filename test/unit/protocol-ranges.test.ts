import t from 'tap';
import { RangeSet, strictRanges } from '../../protocol/ranges.ts';
import { refuses } from '../fixtures/protocol.ts';

t.test('ranges that touch or overlap become one', async (t) => {
  const set = new RangeSet([{ first: 10, count: 5 }]);
  set.add(0, 3);
  set.add(20, 1);
  t.same(set.ranges(), [
    { first: 0, count: 3 },
    { first: 10, count: 5 },
    { first: 20, count: 1 },
  ]);
  set.add(3, 7);
  t.same(set.ranges(), [
    { first: 0, count: 15 },
    { first: 20, count: 1 },
  ]);
  set.add(14, 10);
  t.same(set.ranges(), [{ first: 0, count: 24 }]);
  set.add(5, 0);
  t.equal(set.size, 24, 'an empty range adds nothing');
});

t.test('what is in, what comes next, what is missing', async (t) => {
  const set = new RangeSet([
    { first: 2, count: 3 },
    { first: 8, count: 2 },
  ]);
  t.same(
    [1, 2, 4, 5, 8, 9, 10].map((value) => set.has(value)),
    [false, true, true, false, true, true, false],
  );
  t.ok(set.hasAll(2, 3));
  t.notOk(set.hasAll(2, 4));
  t.notOk(set.hasAll(1, 2));
  t.ok(set.hasAll(100, 0), 'nothing is always in');
  t.equal(set.next, 0);
  t.equal(set.end, 10);
  t.same(set.gaps(), [
    { first: 0, count: 2 },
    { first: 5, count: 3 },
  ]);
  set.add(0, 2);
  t.equal(set.next, 5);
  const empty = new RangeSet();
  t.same([empty.next, empty.end, empty.size, empty.gaps()], [0, 0, 0, []]);
});

t.test('a parser takes ranges in one form only', async (t) => {
  const good = [
    { first: 0, count: 2 },
    { first: 3, count: 1 },
  ];
  t.same(strictRanges(good, 'receipt-invalid').ranges(), good);
  const bad = {
    empty: [{ first: 0, count: 0 }],
    'out of order': [good[1]!, good[0]!],
    touching: [good[0]!, { first: 2, count: 1 }],
    'above 2^53': [{ first: Number.MAX_SAFE_INTEGER, count: 1 }],
  };
  for (const [what, ranges] of Object.entries(bad)) {
    refuses(t, 'receipt-invalid', () => strictRanges(ranges, 'receipt-invalid'), what);
  }
  refuses(t, 'file-invalid', () => strictRanges(bad.empty, 'file-invalid'));
});
