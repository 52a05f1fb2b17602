import t from 'tap';
import { inAtLeast, RangeSet, strictRanges } from '../../protocol/ranges.ts';
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

t.test('taking out and looking at a part, against a plain set of numbers', async (t) => {
  let seed = 7;
  const below = (limit: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % limit;
  };
  for (let round = 0; round < 300; round++) {
    const set = new RangeSet();
    const plain = new Set<number>();
    for (let step = 0; step < 8; step++) {
      const [first, count] = [below(30), below(8)];
      const adds = below(2) === 0;
      if (adds) set.add(first, count);
      else set.remove(first, count);
      for (let value = first; value < first + count; value++) adds ? plain.add(value) : plain.delete(value);
    }
    const numbers = (ranges: Iterable<{ first: number; count: number }>): number[] =>
      [...ranges].flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i));
    const sorted = [...plain].sort((a, b) => a - b);
    if (String(numbers(set.ranges())) !== String(sorted)) t.fail(`round ${round}: ${sorted}`);
    const [first, count] = [below(30), below(10)];
    const part = sorted.filter((value) => first <= value && value < first + count);
    if (String(numbers(set.within(first, count))) !== String(part)) t.fail(`round ${round}: ${part} of ${sorted}`);
  }
  t.pass('300 rounds');
});

t.test('what enough sets have in common', async (t) => {
  const sets = [
    new RangeSet([{ first: 0, count: 10 }]),
    new RangeSet([
      { first: 2, count: 3 },
      { first: 8, count: 9 },
    ]),
    new RangeSet([{ first: 4, count: 5 }]),
  ];
  t.same(inAtLeast(sets, 1).ranges(), [{ first: 0, count: 17 }]);
  t.same(inAtLeast(sets, 2).ranges(), [{ first: 2, count: 8 }]);
  t.same(inAtLeast(sets, 3).ranges(), [
    { first: 4, count: 1 },
    { first: 8, count: 1 },
  ]);
  t.same(inAtLeast(sets, 4).ranges(), []);
  t.same(inAtLeast([], 1).ranges(), []);
});
