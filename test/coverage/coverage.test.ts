/**
 * How many lines the tests ran: all of protocol/ by unit tests; 90 % of each file elsewhere by unit and e2e tests
 * together, processes that they start included.
 *
 * The test runner leaves one report for each measured suite of its run.
 */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { codeLines, type FileReport, lineRanges, linesNotRun } from './lines.ts';

const ROOT = join(import.meta.dirname, '..', '..');
/** Run by a browser alone, where nobody counts lines: test/e2e/viewer.test.ts goes through all of it. */
const IN_BROWSER = ['tools/audit/viewer/browser/**'];

type Report = Readonly<Record<string, FileReport>>;

t.test('counts lines of code, and those that ran', async (t) => {
  const source = [
    '/** A comment. */',
    'export interface Shape {',
    '  readonly size: number;',
    '}',
    'export function grow({ size }: Shape): number {',
    '  // Why it grows.',
    '  return size + 1;',
    '}',
    '',
  ].join('\n');
  const report = { statementMap: { 0: { start: { line: 5 } }, 1: { start: { line: 7 } } }, s: { 0: 1, 1: 0 } };
  t.same(codeLines(source), [5, 7]);
  t.same(linesNotRun(source, []), [5, 7], 'a file that no test loads has run nothing');
  t.same(linesNotRun(source, [report]), [7]);
  t.same(linesNotRun(source, [report, { ...report, s: { 1: 3 } }]), [], 'reports add up');
  t.equal(lineRanges([3, 4, 5, 9]), '3-5, 9');
});

t.test('protocol: every line by unit tests', async (t) => {
  const unit = readReport('unit');
  t.ok(unit, 'the unit tests left a report');
  for (const path of globSync('protocol/**/*.ts', { cwd: ROOT }).sort()) check(t, path, [unit ?? {}], 100);
});

t.test('relay and tools: 90 % of each file by unit and e2e tests', async (t) => {
  const [unit, e2e, alone] = [readReport('unit'), readReport('e2e'), readReport('e2e-alone')];
  if (!unit || !e2e || !alone) return t.comment('not measured: this run is not both of unit and e2e');
  for (const path of globSync('{relay,tools}/**/*.ts', { cwd: ROOT, exclude: IN_BROWSER }).sort()) {
    check(t, path, [unit, e2e, alone], 90);
  }
});

function check(t: Test, path: string, reports: readonly Report[], needed: number): void {
  const file = join(ROOT, path);
  const source = readFileSync(file, 'utf8');
  const all = codeLines(source).length;
  const missed = linesNotRun(
    source,
    reports.flatMap((report) => report[file] ?? []),
  );
  const percent = all === 0 ? 100 : (100 * (all - missed.length)) / all;
  const numbers = `${all - missed.length} of ${all} lines, ${percent.toFixed(1)} %, needed ${needed} %`;
  t.ok(percent >= needed, `${path}: ${numbers}${missed.length > 0 ? ` (not run: ${lineRanges(missed)})` : ''}`);
}

function readReport(suite: string): Report | undefined {
  const path = join(ROOT, '.tap', 'lines', `${suite}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
}
