/** When a client renews its standing: at fixed times and when it begins, and never because it was refused. */
import t from 'tap';
import type { ControlItem } from '../../protocol/control.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import type { News } from '../../tools/lib/membership.ts';
import { Renewal } from '../../tools/lib/renewal.ts';

/** A renewal and how often it renewed; `end` ends the exchange under way. */
function makeRenewal() {
  const state = { isComplete: true, renewals: 0 };
  const problems: string[] = [];
  let settle: { resolve(news: News): void; reject(problem: Problem): void };
  const membership = {
    get isComplete() {
      return state.isComplete;
    },
    renew() {
      state.renewals += 1;
      return new Promise<News>((resolve, reject) => {
        settle = { resolve, reject };
      });
    },
    takeBeside(items: readonly ControlItem[]) {
      if (items.length > 0) throw new Problem('signature-invalid', 'not a roster of the operator');
    },
  };
  const renewal = new Renewal(membership, ({ code }) => void problems.push(code));
  /** How often it renews before these slots, when each exchange ends before the next slot. */
  const renewals = async (...slots: number[]): Promise<number> => {
    const before = state.renewals;
    for (const slot of slots) {
      const own = state.renewals;
      renewal.before(slot);
      if (state.renewals > own) await end();
    }
    return state.renewals - before;
  };
  const end = (problem?: Problem): Promise<unknown> => {
    if (problem) settle.reject(problem);
    else settle.resolve({ isNew: false, problems: [] });
    return new Promise(setImmediate);
  };
  return { state, problems, renewal, renewals, end };
}

t.test('each ten slots; not because something was refused', async (t) => {
  const { renewal, renewals } = makeRenewal();
  t.equal(await renewals(...Array.from({ length: 40 }, (_, slot) => slot + 1)), 4);
  for (const code of ['not-available', 'no-recipient', 'slots-full', 'revoked'] satisfies ProblemCode[]) {
    renewal.noteFailure(new Problem(code, 'refused'));
    t.equal(await renewals(41, 42), 0, code);
  }
});

t.test('what is wrong with what came beside a block is said, and no more', async (t) => {
  const { renewal, problems, renewals } = makeRenewal();
  renewal.takeBeside([]);
  renewal.takeBeside([{ type: 'cover' }]);
  t.strictSame(problems, ['signature-invalid']);
  t.equal(await renewals(1, 2), 0);
});

t.test('when a connection was lost, when credentials changed, while a peer was never met', async (t) => {
  const { state, renewal, renewals } = makeRenewal();
  renewal.noteFailure(new Problem('relay-unreachable', 'cut'));
  t.equal(await renewals(1, 2), 1);
  renewal.soon();
  t.equal(await renewals(3, 4), 1);
  state.isComplete = false;
  t.equal(await renewals(5, 6, 7), 3);
});

t.test('one exchange at a time; what went wrong is told, and the next time it is tried again', async (t) => {
  const { state, problems, renewal, end } = makeRenewal();
  renewal.before(10);
  renewal.before(20);
  t.equal(state.renewals, 1, 'the first still runs');
  await end(new Problem('not-in-roster', 'gone'));
  t.strictSame(problems, ['not-in-roster']);
  renewal.before(30);
  t.equal(state.renewals, 2);
});
