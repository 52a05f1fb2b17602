/** Runs one suite in the pinned Node within its time budget, and counts what passed and failed. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ROOT } from '../../bin/install.mjs';
import { runGroup } from './process-group.mjs';
import { TapReader } from './tap-output.mjs';

/** Programs of the installed packages; the pinned Node among them. */
export const PROGRAMS = join(ROOT, 'node_modules', '.bin');

/** Longest time for one test file; the budget bounds the suite. */
const FILE_SECONDS = 600;
const TAP_REPORT = join(ROOT, '.tap', 'report', 'coverage-final.json');
const COVERAGE_FOLDER = join(ROOT, '.tap', 'lines');

/** @typedef {import('./suites.mjs').Suite} Suite */
/** @typedef {import('./process-group.mjs').Ending} Ending */
/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */
/** @typedef {{ node: string, say: (text: string) => void }} Context */
/** @typedef {Counts & { name: string, seconds: number, interrupted: boolean }} SuiteResult */

/**
 * Runs a suite; what goes wrong besides a test (no test at all, time over, a process left running) counts as failed.
 * @param {Suite} suite
 * @param {Context} context
 * @returns {Promise<SuiteResult>}
 */
export async function runSuite(suite, context) {
  const { say } = context;
  say(`\n${suite.name}: ${suite.what}\n`);
  const started = process.hrtime.bigint();
  const { counts, ending } = await (suite.command ? runProgram(suite, context) : runFiles(suite, context));
  for (const complaint of complaints(suite, counts, ending)) {
    say(`  not ok: ${complaint}\n`);
    counts.failed++;
  }
  const seconds = Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000;
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  say(`${suite.name}: ${counts.passed} passed, ${counts.failed} failed${skipped}, ${seconds.toFixed(1)} s\n`);
  return { name: suite.name, ...counts, seconds, interrupted: ending.how === 'interrupted' };
}

/**
 * A program is one test, passed when it exits 0; its output is shown only when it does not.
 * @param {Suite} suite
 * @param {Context} context
 */
async function runProgram(suite, { node, say }) {
  const [program = '', ...args] = suite.command ?? [];
  /** @type {string[]} */
  const lines = [];
  const ending = await run(suite, node, [join(PROGRAMS, program), ...args], (line) => lines.push(line));
  const failed = ending.code === 0 ? 0 : 1;
  if (failed) say(indented(lines));
  return { counts: { passed: 1 - failed, failed, skipped: 0 }, ending };
}

/**
 * Test files run under tap, one line for each; what tap printed is shown of those that fail.
 * @param {Suite} suite
 * @param {Context} context
 */
async function runFiles(suite, { node, say }) {
  const files = testFiles(suite);
  const started = performance.now();
  const reader = new TapReader((result) => {
    const at = Math.round((performance.now() - started) / 1000);
    const counts = `${result.passed} passed, ${result.failed} failed, ended at ${at} s`;
    say(`  ${result.ok ? 'ok' : 'not ok'}: ${result.name} (${counts})\n`);
    if (!result.ok) say(indented(result.lines));
  });
  rmSync(TAP_REPORT, { force: true });
  const args = [join(PROGRAMS, 'tap'), 'run', ...tapOptions(suite), ...files];
  const ending = await run(suite, node, args, (line) => reader.push(line));
  reader.end();
  if (suite.measured) keepCoverage(suite);
  const missing = files.filter((file) => !reader.files.some(({ name }) => name === file));
  for (const file of missing) say(`  not ok: ${file} gave no result\n`);
  if (missing.length > 0) say(indented(reader.rest));
  const counts = { passed: 0, failed: missing.length, skipped: 0 };
  for (const file of reader.files) {
    counts.passed += file.passed;
    counts.failed += file.failed;
    counts.skipped += file.skipped;
  }
  return { counts, ending };
}

/**
 * What is wrong with the run itself, each worth one failed test.
 * @param {Suite} suite
 * @param {Counts} counts
 * @param {Ending} ending
 * @returns {string[]}
 */
function complaints(suite, counts, ending) {
  const list = [];
  if (ending.how === 'overtime') list.push(`stopped after its budget of ${minutesOf(suite)} minutes`);
  if (ending.how === 'interrupted') list.push('interrupted');
  if (ending.leftBehind.length > 0) list.push(`left processes running: ${ending.leftBehind.join(' ')}`);
  if (counts.passed + counts.failed === 0) list.push('ran no test');
  else if (ending.code !== 0 && counts.failed + list.length === 0) list.push(`ended with exit code ${ending.code}`);
  return list;
}

/**
 * @param {Suite} suite
 * @param {string} node
 * @param {readonly string[]} args
 * @param {(line: string) => void} onLine
 */
function run(suite, node, args, onLine) {
  return runGroup(node, args, { cwd: ROOT, env: environment(), limitMs: minutesOf(suite) * 60_000, onLine });
}

/** The environment of every suite: `node` is the pinned one, and compiles anew, since what it kept has no line coverage. */
function environment() {
  return { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1', PATH: `${PROGRAMS}${delimiter}${process.env.PATH ?? ''}` };
}

/**
 * @param {Suite} suite
 * @returns {string[]}
 */
function tapOptions({ jobs = 1, measured }) {
  const coverage = measured ? ['--coverage-report=json', '--allow-incomplete-coverage'] : ['--disable-coverage'];
  return ['-R', 'tap', `--jobs=${jobs}`, `--timeout=${FILE_SECONDS}`, '--allow-empty-coverage', ...coverage];
}

/**
 * @param {Suite} suite
 * @returns {string[]}
 */
function testFiles({ folder = '', only, without = [] }) {
  if (!existsSync(join(ROOT, folder))) return [];
  const all = readdirSync(join(ROOT, folder)).filter((name) => name.endsWith('.test.ts'));
  const missing = [...(only ?? []), ...without].filter((name) => !all.includes(name));
  if (missing.length > 0) throw new Error(`${folder} has no ${missing.join(', ')}, which test/runner/suites.mjs names`);
  const names = (only ?? all).filter((name) => !without.includes(name)).sort();
  return names.map((name) => `${folder}/${name}`);
}

/**
 * @param {Suite} suite
 * @returns {number}
 */
function minutesOf({ name }) {
  return JSON.parse(readFileSync(join(ROOT, 'test', 'budget.json'), 'utf8'))[name];
}

/** Forgets the line coverage of earlier runs. */
export function forgetCoverage() {
  rmSync(COVERAGE_FOLDER, { recursive: true, force: true });
}

/**
 * Keeps tap's coverage report for the coverage suite; tap itself forgets it with the next run.
 * @param {Suite} suite
 */
function keepCoverage({ name }) {
  if (!existsSync(TAP_REPORT)) return;
  mkdirSync(COVERAGE_FOLDER, { recursive: true });
  renameSync(TAP_REPORT, join(COVERAGE_FOLDER, `${name}.json`));
}

/**
 * @param {readonly string[]} lines
 * @returns {string}
 */
function indented(lines) {
  return lines.map((line) => `    ${line}\n`).join('');
}
