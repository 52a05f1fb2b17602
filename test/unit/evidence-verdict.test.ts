/** Verdicts follow from claims and evidence, and whatever is missing, foreign or old never makes one better. */
import t from 'tap';
import { parsePolicy, readPolicyTexts } from '../../tools/evidence/policy/policy.ts';
import { formatRecord, holds, parseRecord, resultOf } from '../../tools/evidence/record.ts';
import { summaryText } from '../../tools/evidence/summary.ts';
import { judge, levelsOf, openItems } from '../../tools/evidence/verdict.ts';
import { NOW, POLICY, PROJECT, passingRecords, SUBJECT } from '../fixtures/evidence.ts';

const JUDGED = { subject: SUBJECT, nowMs: NOW };
const CHECK = 'refusals-alike'; // the only check of SR 1.10
const ITEM = 'SR 1.10';
type Change = NonNullable<Parameters<typeof passingRecords>[0]>[string];

/** Verdict and reason of an item under these records. */
function standing(records = passingRecords(), item = ITEM, policy = POLICY, judged = JUDGED) {
  const { verdict, because } = judge(policy, records, judged).find((each) => each.item === item)!;
  return `${verdict}: ${because}`;
}

t.test('when every check passed, each kind of claim has its verdict', async (t) => {
  const verdicts = judge(POLICY, passingRecords(), JUDGED);
  t.equal(verdicts.length, 100);
  t.match(standing(), /^met: /);
  t.match(standing(undefined, 'SR 1.7'), /^not-applicable: /);
  t.match(standing(undefined, 'SR 1.3'), /^partial: One operator key/);
  t.match(standing(undefined, 'SR 7.5'), /^inherited: from the asset owner until 2027-11-24: /);
  t.match(standing(undefined, 'SR 5.4'), /^not-met: .* Plan: /);
  const targeted = verdicts.filter(({ level }) => level <= 2);
  t.equal(targeted.length, 60);
  t.ok(openItems(verdicts, 2).every(({ verdict }) => verdict === 'not-met'));
});

t.test('an image rests on more than a host, and only on evidence of that very image', async (t) => {
  const subject = { ...SUBJECT, board: 'vm', imageDigest: '3'.repeat(64) } as const;
  const judged = { subject, nowMs: NOW };
  const records = (of: typeof subject) => passingRecords().map((record) => ({ ...record, subject: of }));
  t.match(standing(passingRecords(), 'SR 1.6'), /^not-met: /, 'a host');
  t.match(standing(records(subject), 'SR 1.6', POLICY, judged), /^not-applicable: /);
  t.match(standing(records(subject), 'SR 1.10', POLICY, judged), /^met: /, 'what rests on no image stays');
  const other = { ...subject, imageDigest: '4'.repeat(64) };
  t.match(standing(records(other), 'SR 1.6', POLICY, judged), /^not-evaluated: .*another imageDigest/);
  t.match(standing(passingRecords(), 'SR 1.6', POLICY, judged), /^not-evaluated: .*another board/);
});

t.test('evidence that may not count is none', async (t) => {
  const other = '9'.repeat(64);
  const cases: readonly (readonly [string, Change, RegExp])[] = [
    ['failed', { result: 'fail' }, /^not-met: refusals-alike failed/],
    ['broke off', { result: 'error', detail: 'relay-unreachable' }, /^not-evaluated: .*error \(relay-unreachable\)/],
    ['did not run', { result: 'not-run' }, /^not-evaluated: .*not-run/],
    [
      'of other software',
      { subject: { ...SUBJECT, softwareDigest: other } },
      /^not-evaluated: .*another softwareDigest/,
    ],
    [
      'of another configuration',
      { subject: { ...SUBJECT, configHash: other } },
      /^not-evaluated: .*another configHash/,
    ],
    ['of another version', { subject: { ...SUBJECT, version: '0.0.9' } }, /^not-evaluated: .*another version: 0.0.9/],
    ['by a check that changed', { checkHash: '0'.repeat(12) }, /^not-evaluated: .*the check changed/],
    ['too old', { endedAt: '2026-10-01T00:00:00.000Z' }, /^not-evaluated: .*older than 720 hours/],
    ['of tomorrow', { endedAt: '2026-11-25T00:00:00.000Z' }, /^not-evaluated: .*has not come yet/],
    ['without its sabotage', { sabotage: { tried: [], caught: [] } }, /^not-evaluated: .*did not catch telling/],
    [
      'blind to its sabotage',
      { sabotage: { tried: ['telling'], caught: [] } },
      /^not-evaluated: .*did not catch telling/,
    ],
  ];
  for (const [what, change, expected] of cases) t.match(standing(passingRecords({ [CHECK]: change })), expected, what);
  const without = passingRecords().filter(({ check }) => check !== CHECK);
  t.match(standing(without), /^not-evaluated: .*there is no evidence/);
  t.match(standing([...passingRecords(), ...passingRecords().filter(({ check }) => check === CHECK)]), /two records/);
});

t.test('absence is not proved by a check that failed, and nothing inherited lasts for ever', async (t) => {
  t.match(standing(passingRecords({ 'no-passwords': { result: 'fail' } }), 'SR 1.7'), /^not-met: /);
  t.match(standing(passingRecords({ 'no-passwords': { result: 'error' } }), 'SR 1.7'), /^not-evaluated: /);
  const later = { subject: SUBJECT, nowMs: Date.parse('2027-11-25T00:00:00.000Z') };
  t.match(standing(undefined, 'SR 7.5', POLICY, later), /^not-evaluated: inherited until 2027-11-24/);
});

t.test('a suspect link is not evaluated', async (t) => {
  const texts = readPolicyTexts(PROJECT);
  const change = (file: string, find: string, replace: string) => {
    const path = `policy/iec62443/${file}`;
    return parsePolicy(new Map([...texts, [path, texts.get(path)!.replace(find, replace)]]));
  };
  const requirement = change('catalog/3-3.yaml', 'a refused login teaches nothing', 'a refused login teaches little');
  t.match(standing(undefined, ITEM, requirement), /^not-evaluated: suspect link: SR 1.10 changed/);
  const check = change('checks/run.yaml', 'wrong role, wrong zone', 'wrong role, another zone');
  t.match(standing(undefined, ITEM, check), /^not-evaluated: suspect link: refusals-alike changed/);
  const unclaimed = change('claims/sr-1.10.yaml', 'item: SR 1.10', 'item: SR 1.11');
  t.match(standing(undefined, ITEM, unclaimed), /^not-evaluated: there is no claim/);
});

t.test('the level of a foundational requirement is the highest without a hole', async (t) => {
  const level = (verdict: 'met' | 'partial' | 'not-met', at: number) =>
    ({ item: `SR ${at}`, fr: 'FR1', level: at, topic: '', verdict, because: '', checks: [] }) as const;
  const reached = (...items: ReturnType<typeof level>[]) => {
    const { alone, withConditions } = levelsOf(items)[0]!;
    return [alone, withConditions];
  };
  t.same(reached(level('met', 1), level('met', 2)), [4, 4]);
  t.same(reached(level('met', 1), level('partial', 2), level('met', 3)), [1, 4]);
  t.same(reached(level('not-met', 1), level('met', 2)), [0, 0]);
  t.same(reached(level('met', 1), level('met', 2), level('not-met', 3)), [2, 2]);
});

t.test('a record says what its observations say', async (t) => {
  const [record] = passingRecords();
  const line = formatRecord(record!);
  t.same(parseRecord(line), record);
  const wrong = (change: object) => () => parseRecord(formatRecord({ ...record!, ...change }));
  t.throws(wrong({ result: 'fail' }), { code: 'evidence-invalid', detail: /typed in as "fail"/ });
  const observed = [{ name: 'answers', value: 2, rule: 'at-most', limit: 1, unit: '' }];
  t.throws(wrong({ observed }), { code: 'evidence-invalid', detail: /typed in as "pass"/ });
  t.throws(wrong({ observed: [] }), { code: 'evidence-invalid' });
  t.throws(wrong({ sabotage: { tried: [], caught: ['a'] } }), { code: 'evidence-invalid', detail: /not tried/ });
  t.throws(() => parseRecord(`${line} `), { code: 'evidence-invalid' });
  t.throws(() => parseRecord('{}'), { code: 'evidence-invalid' });
  t.equal(resultOf([]), 'error');
  t.equal(holds({ name: '', value: 'a', rule: 'at-least', limit: 1, unit: '' }), false);
  t.equal(holds({ name: '', value: 3, rule: 'at-least', limit: 3, unit: '' }), true);
});

t.test('the summary names what is open first', async (t) => {
  const records = passingRecords({ [CHECK]: { result: 'fail' } });
  const verdicts = judge(POLICY, records, JUDGED);
  const system = POLICY.system!;
  const text = summaryText({ profile: 'sl2', level: 2, verdicts, records, system });
  t.match(text, /^\d+ of 60 items of sl2 are open\n/);
  t.match(text, /SR 1\.10 +1 +not-met +refusals-alike failed/);
  t.match(text, /FR4 +█+·* \d +█+·* \d +2\n/);
  const all = POLICY.checks.length;
  t.match(text, new RegExp(`${all} checks: ${all - 1} passed, 1 failed`));
  t.notMatch(text, /complian|certif/);
});
