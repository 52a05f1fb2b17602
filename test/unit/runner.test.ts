/** The parts of the test runner that decide: what counts, which suites, which packages. */
import t from 'tap';
import { missingPackages } from '../runner/debian.mjs';
import { chooseSuites, SUITES } from '../runner/suites.mjs';
import { type FileResult, TapReader } from '../runner/tap-output.mjs';

function read(text: string): Pick<FileResult, 'name' | 'ok' | 'passed' | 'failed' | 'skipped'>[] {
  const reader = new TapReader(() => {});
  for (const line of text.split('\n')) reader.push(line);
  reader.end();
  return reader.files.map(({ name, ok, passed, failed, skipped }) => ({ name, ok, passed, failed, skipped }));
}

t.test('assertions are counted, subtests are not', async (t) => {
  const text = `TAP version 14
1..1
# Subtest: test/unit/a.test.ts
    # Subtest: outer
        ok 1 - should be equal
        # Subtest: inner
            ok 1 - should be equal
            1..1
        ok 2 - inner # time=1ms
        1..2
    ok 1 - outer # time=1ms
    ok 2 - later # SKIP
    1..2
ok 1 - test/unit/a.test.ts # time=4ms`;
  t.same(read(text), [{ name: 'test/unit/a.test.ts', ok: true, passed: 2, failed: 0, skipped: 1 }]);
});

t.test('a failed assertion is counted once, and what its diagnostics quote is not', async (t) => {
  const text = `# Subtest: test/unit/a.test.ts
    # Subtest: outer
        not ok 1 - should be equal
          ---
          source: |
            ok 1 - quoted
            not ok 2 - quoted
          ...
        1..1
    not ok 1 - outer # time=1ms
      ---
      at: null
      ...
    1..1
not ok 1 - test/unit/a.test.ts # time=4ms
  ---
  exitCode: 1
  ...
`;
  t.same(read(text), [{ name: 'test/unit/a.test.ts', ok: false, passed: 0, failed: 1, skipped: 0 }]);
});

t.test('a file that crashes, or that tests nothing, has failed', async (t) => {
  const crashed = `# Subtest: test/unit/a.test.ts
    ok 1 - before the crash
    1..1
not ok 1 - test/unit/a.test.ts # time=4ms
  ---
  exitCode: 1
  ...`;
  t.same(read(crashed), [{ name: 'test/unit/a.test.ts', ok: false, passed: 1, failed: 1, skipped: 0 }]);
  const empty = `# Subtest: test/unit/a.test.ts
    1..0 # no tests found
ok 1 - test/unit/a.test.ts # SKIP no tests found`;
  t.same(read(empty), [{ name: 'test/unit/a.test.ts', ok: false, passed: 0, failed: 1, skipped: 0 }]);
});

t.test('diagnostics belong to the file before them; what passed is left out', async (t) => {
  const results: FileResult[] = [];
  const reader = new TapReader((result) => results.push(result));
  const lines = ['ok 1 - a', 'not ok 2 - b', '  ---', '  exitCode: 7', '  ...', '# Subtest: c'];
  for (const line of lines) reader.push(line);
  t.same(
    results.map(({ name, lines }) => [name, lines]),
    [
      ['a', []],
      ['b', ['not ok 2 - b', '  ---', '  exitCode: 7', '  ...']],
    ],
  );
  t.same(reader.rest, ['# Subtest: c']);
});

t.test('suites are chosen by name; coverage comes with unit, e2e-alone with e2e', async (t) => {
  t.same(chooseSuites([]), SUITES);
  t.same(
    chooseSuites(['e2e', 'unit']).map(({ name }) => name),
    ['unit', 'e2e', 'e2e-alone', 'coverage'],
  );
  t.throws(() => chooseSuites(['unit', 'nothing']), { message: /"nothing" is not a suite/ });
});

t.test('only packages of the chosen suites are missing', async (t) => {
  const packages = {
    faketime: { binary: 'faketime', suites: ['e2e'], reason: 'clocks' },
    curl: { binary: 'curl', suites: ['e2e', 'image'], reason: 'a client' },
  };
  const none = () => false;
  t.same(missingPackages(packages, ['unit', 'property'], none), []);
  t.same(missingPackages(packages, ['e2e'], none), ['faketime', 'curl']);
  t.same(missingPackages(packages, ['image'], none), ['curl']);
  t.same(
    missingPackages(packages, ['e2e'], (binary) => binary === 'curl'),
    ['faketime'],
  );
});
