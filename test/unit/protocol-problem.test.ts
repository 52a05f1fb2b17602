import t from 'tap';
import { asProblem, PROBLEMS, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { REJECT_CODES, rejectCodeOf } from '../../protocol/reject.ts';

t.test('a problem carries code, fact, place, status and how to mend it', async (t) => {
  const problem = new Problem('schema-invalid', 'x must be y', 'devices[3].name');
  t.ok(problem instanceof Error);
  t.match(problem, { name: 'Problem', message: 'schema-invalid: x must be y', path: 'devices[3].name', status: 400 });
  t.equal(problem.mend, PROBLEMS['schema-invalid'].mend);
  t.equal(new Problem('usage', 'x').path, '');
});

t.test('the catalogue: kebab-case codes, real statuses, one sentence each', async (t) => {
  for (const [code, { status, mend }] of Object.entries(PROBLEMS)) {
    t.match(code, /^[a-z]+(-[a-z]+)*$/);
    t.ok(status === 0 || (status >= 400 && status < 600), `${code}: ${status}`);
    t.match(mend, /^[A-Z].*\.$/);
  }
  t.equal(PROBLEMS['not-available'].status, 404);
});

t.test('anything thrown becomes a problem', async (t) => {
  const problem = new Problem('usage', 'x');
  t.equal(asProblem(problem), problem);
  t.match(asProblem(new TypeError('no')), { code: 'internal', detail: 'no' });
  t.match(asProblem('no'), { code: 'internal', detail: 'no' });
});

t.test('every refusal of a block has a reject code', async (t) => {
  const of = (code: ProblemCode) => rejectCodeOf(new Problem(code, ''));
  t.same(
    ['sender-unknown', 'revoked', 'signature-invalid', 'type-unsupported', 'commit-mismatch'].map((c) =>
      of(c as ProblemCode),
    ),
    ['unknown-sender', 'unknown-sender', 'bad-signature', 'unsupported', 'cannot-open'],
  );
  t.same(
    REJECT_CODES,
    [
      'cannot-open',
      'unknown-sender',
      'bad-signature',
      'replay',
      'sink-refused',
      'too-old',
      'unsupported',
      'incomplete',
    ],
    'numbers on the wire never change',
  );
});
