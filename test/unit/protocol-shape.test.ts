import t from 'tap';
import { Problem } from '../../protocol/problem.ts';
import { check, flag, integer, list, object, oneOf, record, type Shape, text } from '../../protocol/shape.ts';

/** The message that `value` is refused with; empty when it is accepted. */
function refusal(shape: Shape<unknown>, value: unknown): string {
  try {
    check(shape, value);
    return '';
  } catch (thrown) {
    if (thrown instanceof Problem && thrown.code === 'schema-invalid') return thrown.detail;
    throw thrown;
  }
}

t.test('text', async (t) => {
  const shape = text('a word', 1, 3);
  t.equal(check(shape, 'abc'), 'abc');
  t.equal(refusal(shape, ''), 'document must be a word, not ""');
  t.equal(refusal(shape, 'abcd'), 'document must be a word, not "abcd"');
  t.equal(refusal(shape, 'a\n'), 'document must be a word, not "a?"', 'control characters');
  t.equal(refusal(shape, 1), 'document must be a word, not 1');
  t.equal(refusal(text('digits', 1, 9, /^\d+$/), 'x'), 'document must be digits, not "x"');
  t.equal(refusal(shape, 'x'.repeat(50)), `document must be a word, not "${'x'.repeat(37)}..."`, 'long text is cut');
});

t.test('integer, flag and oneOf', async (t) => {
  const shape = integer(1, 5);
  t.same(
    [1, 5].map((value) => check(shape, value)),
    [1, 5],
  );
  for (const value of [0, 6, 1.5, Number.NaN, '1', null]) t.ok(refusal(shape, value), String(value));
  t.equal(refusal(shape, 6), 'document must be an integer from 1 to 5, not 6');
  t.equal(check(flag, false), false);
  t.equal(refusal(flag, null), 'document must be true or false, not null');
  t.equal(check(oneOf(['a', 2]), 2), 2);
  t.equal(refusal(oneOf(['a', 2]), '2'), 'document must be one of a, 2, not "2"');
  t.equal(refusal(oneOf(['a']), true), 'document must be one of a, not true');
});

t.test('list', async (t) => {
  const shape = object({ items: list(integer(0, 9), 1, 3, String) });
  t.same(check(shape, { items: [1, 2] }), { items: [1, 2] });
  t.equal(refusal(shape, { items: {} }), 'items must be a list, not an object');
  t.equal(refusal(shape, { items: [] }), 'items must be a list of 1 to 3 items, not "a list of 0"');
  t.equal(refusal(shape, { items: [1, 'x'] }), 'items[1] must be an integer from 0 to 9, not "x"');
  t.equal(refusal(shape, { items: [1, 2, 1] }), '"1" stands twice');
  t.same(check(list(integer(0, 9), 0, 3), [1, 1]), [1, 1], 'without a key, items may repeat');
});

t.test('object', async (t) => {
  const shape = object({ a: integer(0, 9), b: object({ c: flag }) }, { d: flag });
  t.same(check(shape, { a: 1, b: { c: true } }), { a: 1, b: { c: true } });
  t.same(check(shape, { d: true, a: 1, b: { c: true } }), { a: 1, b: { c: true }, d: true });
  t.equal(refusal(shape, { a: 1 }), 'key "b" is missing');
  t.equal(refusal(shape, { a: 1, b: { c: 1 } }), 'b.c must be true or false, not 1');
  t.equal(refusal(shape, { a: 1, b: { c: true, e: 1 } }), 'unknown key "e"');
  t.equal(refusal(shape, JSON.parse('{"__proto__":{}}')), 'unknown key "__proto__"');
  t.equal(refusal(shape, { toString: 1 }), 'unknown key "toString"', 'inherited names are no fields');
  t.equal(refusal(object({ a: flag }), { b: 1 }), 'unknown key "b"', 'no optional fields at all');
  for (const value of [null, [], 'x', undefined]) t.match(refusal(shape, value), /^document must be an object/);
  t.equal(refusal(shape, undefined), 'document must be an object, not nothing');
  t.equal(
    refusal(shape, () => 1),
    'document must be an object, not a function',
  );
});

t.test('record', async (t) => {
  const shape = record(text('a word', 1, 3), integer(0, 9), 2);
  t.same(check(shape, { a: 1, b: 2 }), { a: 1, b: 2 });
  t.equal(refusal(shape, { a: 1, b: 2, c: 3 }), 'document must be at most 2 keys, not "3"');
  t.equal(refusal(shape, { long: 1 }), 'long must be a word, not "long"');
  t.equal(refusal(shape, { a: 'x' }), 'a must be an integer from 0 to 9, not "x"');
  t.equal(refusal(object({ r: shape }), { r: { a: 'x' } }), 'r.a must be an integer from 0 to 9, not "x"');
});

t.test('a refusal names its place', async (t) => {
  t.throws(() => check(object({ a: list(flag, 0, 3) }), { a: [true, 1] }), { code: 'schema-invalid', path: 'a[1]' });
});
