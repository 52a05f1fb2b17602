/** The policy of IEC 62443 keeps its rules, and every rule catches what it is there for. */
import { join } from 'node:path';
import t from 'tap';
import { bindClaims } from '../../tools/evidence/policy/bind.ts';
import { type Implemented, lint } from '../../tools/evidence/policy/lint.ts';
import { parsePolicy, readPolicyTexts } from '../../tools/evidence/policy/policy.ts';
import { readSchemas } from '../../tools/evidence/policy/schemas.ts';

const PROJECT = join(import.meta.dirname, '..', '..');
const TEXTS = readPolicyTexts(PROJECT);
const POLICY = parsePolicy(TEXTS);
const IMPLEMENTED: Implemented = new Map(
  POLICY.checks.map(({ value }) => [value.id, value.sabotages.map(({ id }) => id)]),
);

/** The findings after `find` became `replace` in one file, as `rule file:line`. */
function after(file: string, find: string | RegExp, replace: string, implemented = IMPLEMENTED): string[] {
  const path = `policy/iec62443/${file}`;
  const text = TEXTS.get(path)!;
  const changed = text.replace(find, replace);
  if (changed === text) throw new Error(`${file} does not hold ${find}`);
  const policy = parsePolicy(new Map([...TEXTS, [path, changed]]));
  return lint(policy, { project: PROJECT, implemented }).map(
    ({ rule, file: where, line }) => `${rule} ${where.replace('policy/iec62443/', '')}:${line}`,
  );
}

t.test('the policy of this project keeps every rule', async (t) => {
  t.same(lint(POLICY, { project: PROJECT, implemented: IMPLEMENTED }), []);
  t.equal(POLICY.requirements.length, 100);
  t.equal(POLICY.claims.length, 100);
});

const CLAIM = 'claims/sr-1.2.yaml';
const MUTATIONS: readonly (readonly [string, string, string | RegExp, string, string])[] = [
  ['broken YAML', CLAIM, 'claims:', 'claims: [', 'yaml'],
  ['a key twice', CLAIM, 'sr: SR 1.2', 'sr: SR 1.2\nsr: SR 1.2', 'yaml'],
  ['an alias', CLAIM, 'kind: design', 'kind: &a design\n    how: *a', 'yaml'],
  ['an unknown key', CLAIM, 'kind: design', 'sort: design', 'schema'],
  ['an unknown kind', CLAIM, 'kind: design', 'kind: done', 'schema'],
  ['a verdict typed in', CLAIM, 'kind: design', 'kind: design\n    status: met', 'typed-verdict'],
  ['a level typed in', CLAIM, 'sr: SR 1.2', 'sr: SR 1.2\nSLC: 4', 'typed-verdict'],
  ['a stub', CLAIM, /how: The identifier.*/, 'how: To be written, when there is time.', 'stub'],
  ['a word of a certification body', CLAIM, /how: The identifier.*/, 'how: This is certified by us.', 'claim-word'],
  ['an item less', 'catalog/3-3.yaml', /.*SR 1\.2 RE\(1\).*\n/, '', 'catalogue'],
  [
    'an item at another level',
    'catalog/3-3.yaml',
    'SR 1.2, fr: FR1, level: 2',
    'SR 1.2, fr: FR1, level: 1',
    'catalogue',
  ],
  ['an enhancement of nothing', 'catalog/3-3.yaml', 'id: SR 5.4,', 'id: SR 5.9 RE(1),', 'catalogue'],
  ['a component item of nothing', 'catalog/4-2.yaml', 'sr: SR 1.1 ', 'sr: SR 9.9 ', 'unknown-id'],
  ['a component item that says nothing', 'catalog/4-2.yaml', ', sr: SR 1.1 ', ' ', 'unknown-id'],
  ['a claim less', 'claims/sr-5.4.yaml', 'item: SR 5.4', 'item: SR 5.3', 'one-claim'],
  ['a claim in the wrong file', CLAIM, 'sr: SR 1.2', 'sr: SR 1.3', 'one-claim'],
  ['a claim on nothing', 'claims/sr-5.4.yaml', 'item: SR 5.4', 'item: SR 5.9', 'unknown-id'],
  ['a file about nothing', 'claims/sr-5.4.yaml', 'sr: SR 5.4', 'sr: SR 5.9', 'unknown-id'],
  ['a gap without a plan', 'claims/sr-5.4.yaml', /gap:[\s\S]*/, '', 'incomplete'],
  ['a design without checks', 'claims/sr-1.10.yaml', / {4}checks:\n.*\n/, '', 'incomplete'],
  ['a partial without conditions', 'claims/sr-1.11.yaml', / {4}conditions:[\s\S]*/, '', 'incomplete'],
  ['an inherited one without a party', 'claims/sr-7.5.yaml', / {4}inherited:[\s\S]*/, '', 'incomplete'],
  ['an inherited one without an end', 'claims/sr-7.5.yaml', / {6}until:.*\n/, '', 'schema'],
  ['a design with a gap', 'claims/sr-5.4.yaml', 'kind: gap', 'kind: inherited', 'incomplete'],
  [
    'an absence that nothing proves',
    'claims/sr-2.5.yaml',
    /checks:\n.*/,
    'checks:\n      - { id: tls-offer, bound: "000000000000" }',
    'absence',
  ],
  ['an unknown control', CLAIM, '[device-identity,', '[device-identities,', 'unknown-id'],
  ['an unknown check', CLAIM, 'id: grant-proved', 'id: grant-proven', 'unknown-id'],
  [
    'a changed requirement',
    'catalog/3-3.yaml',
    'topic: devices and programs show',
    'topic: devices and programs tell',
    'suspect',
  ],
  ['a changed check', 'checks/run.yaml', 'at its next call', 'at some later call', 'suspect'],
  [
    'a control that the claim does not name',
    'controls/controls.yaml',
    'serves: [SR 1.10, SR 3.7]',
    'serves: [SR 1.10, SR 3.7, SR 5.4]',
    'both-ways',
  ],
  [
    'a claim that the control does not name',
    'controls/controls.yaml',
    'serves: [SR 1.10, SR 3.7]',
    'serves: [SR 1.10]',
    'both-ways',
  ],
  [
    'a file that is not there',
    'controls/controls.yaml',
    'relay/http/problem-reply.ts',
    'relay/http/problems.ts',
    'missing-file',
  ],
  ['a check without sabotage', 'checks/build.yaml', / {4}sabotages:\n(.*\n){2}/, '    sabotages: []\n', 'schema'],
  ['an unknown sabotage', 'checks/build.yaml', 'id: loose,', 'id: looser,', 'not-implemented'],
  ['a check without a claim', 'claims/sr-3.5.yaml', /.*input-strict.*\n/, '', 'unused'],
  ['a check twice', 'checks/log.yaml', 'id: log-verifies', 'id: lock-pins', 'twice'],
  ['a row less', 'mappings/nis2.yaml', /- id: "j"[\s\S]*/, '', 'mapping'],
  ['a row that says nothing', 'mappings/cra.yaml', / {4}note: SECURITY\.md\.\n/, '', 'mapping'],
  ['a row of the page without a note', 'mappings/product-page.yaml', / {4}note: The tag.*\n/, '', 'mapping'],
  ['a row that the page does not have', 'mappings/product-page.yaml', 'id: SR 5.1', 'id: SR 5.2', 'mapping'],
  ['a row with an unknown item', 'mappings/nis2.yaml', 'SR 2.8,', 'SR 2.88,', 'unknown-id'],
  ['a profile under another name', 'profiles/sl3.yaml', 'id: sl3', 'id: sl4', 'profile'],
  ['no system', 'system/conduit.yaml', 'targets:', 'aims:', 'schema'],
  ['a requirement twice', 'catalog/3-3.yaml', 'id: SR 1.2,', 'id: SR 1.1,', 'schema'],
  ['a level that is none', 'catalog/4-2.yaml', 'level: 1', 'level: 5', 'schema'],
  ['a control that serves nothing', 'controls/controls.yaml', 'serves: [SR 1.10, SR 3.7]', 'serves: []', 'schema'],
  ['a layer that is none', 'checks/log.yaml', 'layer: log', 'layer: lab', 'schema'],
  ['a day that is none', 'claims/sr-7.5.yaml', 'until: "2027-11-24"', 'until: "2027-13-24"', 'schema'],
  ['a hash written by hand', CLAIM, /bound: "..../, 'bound: "ABCD', 'schema'],
  ['a profile with a text for its level', 'profiles/sl2.yaml', 'level: 2', 'level: "2"', 'schema'],
  ['a mapping with a key too many', 'mappings/nis2.yaml', '- id: "a"', '- id: "a"\n    link: nothing', 'schema'],
];

t.test('each rule catches what it is there for, and says where', async (t) => {
  for (const [what, file, find, replace, rule] of MUTATIONS) {
    const found = after(file, find, replace);
    t.ok(
      found.some((each) => each.startsWith(`${rule} `)),
      `${what}: ${rule} in ${JSON.stringify(found)}`,
    );
  }
});

t.test('a finding names the line', async (t) => {
  t.same(after(CLAIM, 'kind: design', 'kind: design\n    status: met').slice(0, 1), [`typed-verdict ${CLAIM}:6`]);
  t.same(after(CLAIM, 'id: pin-refused', 'id: pin-ignored'), [`unknown-id ${CLAIM}:13`]);
});

t.test('a finding of a schema names place and line', async (t) => {
  const path = 'policy/iec62443/claims/sr-7.5.yaml';
  const changed = TEXTS.get(path)!
    .replace('"2027-11-24"', '"soon"')
    .replace('kind: inherited', 'kind: inherited\n    why: no');
  const { faults } = parsePolicy(new Map([...TEXTS, [path, changed]]));
  t.same(
    faults.map(({ line, message }) => `${line} ${message}`),
    ['6 claims[0].why: "why" is no key here', '11 claims[0].inherited.until: must match format "date"'],
  );
});

t.test('a schema that is none is refused', async (t) => {
  const broken = t.testdir({ 'claims.schema.json': '{"$id":"claims.schema.json","type":"nothing"}' });
  t.throws(() => readSchemas(broken), { code: 'file-invalid' });
});

t.test('a check that the program lacks, and one that the policy lacks', async (t) => {
  const [first] = IMPLEMENTED.keys();
  const rules = (implemented: Implemented) => lint(POLICY, { project: PROJECT, implemented }).map(({ rule }) => rule);
  t.same(rules(new Map([...IMPLEMENTED].filter(([id]) => id !== first))), ['not-implemented']);
  t.same(rules(new Map([...IMPLEMENTED, ['new-check', ['a']]])), ['not-implemented']);
  t.same(rules(new Map([...IMPLEMENTED, [first!, [...IMPLEMENTED.get(first!)!, 'one-more']]])), ['not-implemented']);
});

t.test('binding mends a suspect link, of the named claim only', async (t) => {
  const folder = t.testdir();
  const path = 'policy/iec62443/catalog/3-3.yaml';
  const changed = new Map([...TEXTS, [path, TEXTS.get(path)!.replace('devices and programs show', 'devices show')]]);
  const policy = parsePolicy(changed);
  const suspects = (texts: ReadonlyMap<string, string>) =>
    lint(parsePolicy(texts), { project: PROJECT, implemented: IMPLEMENTED }).filter(({ rule }) => rule === 'suspect');
  t.equal(suspects(changed).length, 1);
  t.equal(bindClaims(folder, policy, ['SR 1.3']), 0, 'another claim is left alone');
  t.equal(bindClaims(folder, policy, ['SR 1.2']), 1);
  t.same(suspects(new Map([...changed, ...readPolicyTexts(folder)])), []);
  t.throws(() => bindClaims(folder, policy, ['SR 9.9']), { code: 'usage' });
  const broken = parsePolicy(new Map([...TEXTS, [path, 'items: 1']]));
  t.throws(() => bindClaims(folder, broken, 'all'), { code: 'file-invalid' });
});
