#!/usr/bin/env node
/**
 * `npm test`: all suites, or those that are named. Any Node from 20 on runs this file; the tests run in the pinned one.
 *
 * The last line of stdout is `N passed, N failed`, with --json one JSON object.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CannotRun, ensureInstalled, ROOT } from '../bin/install.mjs';
import { ensurePackages } from './runner/debian.mjs';
import { forgetCoverage, PROGRAMS, runSuite } from './runner/run-suite.mjs';
import { chooseSuites, SUITES } from './runner/suites.mjs';

/** @typedef {import('./runner/run-suite.mjs').SuiteResult} SuiteResult */

const EXIT = { passed: 0, failed: 1, usage: 2, couldNotRun: 3, interrupted: 130 };
const USAGE = `usage: npm test [-- SUITE ...] [-- --json | --list | --help]

suites:
${SUITES.map(({ name, what }) => `  ${name.padEnd(10)} ${what}`).join('\n')}

With GHOSTPIPE_TEST_DRY_RUN set it only shows this: for tests that run the commands of the README.
exit codes: 0 all passed, 1 some failed, 2 wrong usage, 3 could not run
`;

process.exitCode = await main(process.argv.slice(2));

/**
 * @param {string[]} words
 * @returns {Promise<number>}
 */
async function main(words) {
  const request = parse(words);
  if (!request) return EXIT.usage;
  if (request.help || process.env.GHOSTPIPE_TEST_DRY_RUN) {
    process.stdout.write(USAGE);
    return EXIT.passed;
  }
  /** @param {string} text */
  const say = (text) => (request.json ? process.stderr : process.stdout).write(text);
  try {
    const folders = request.suites.map(({ name, folder }) => folder?.replace('test/', '') ?? name);
    ensurePackages(folders, say);
    const node = ensureInstalled({ withTests: true });
    ensureTapBuilt(node);
    forgetCoverage();
    const results = [];
    for (const suite of request.suites) {
      const result = await runSuite(suite, { node, say });
      results.push(result);
      if (result.interrupted) return EXIT.interrupted;
    }
    return summarise(results, request.json);
  } catch (thrown) {
    if (!(thrown instanceof CannotRun)) throw thrown;
    process.stderr.write(`test: ${thrown.message}\n`);
    return EXIT.couldNotRun;
  }
}

/**
 * @param {string[]} words
 * @returns undefined after it has said what is wrong with them.
 */
function parse(words) {
  try {
    const flag = /** @type {const} */ ({ type: 'boolean', default: false });
    const { values, positionals } = parseArgs({
      args: words,
      allowPositionals: true,
      options: { json: flag, list: flag, help: flag },
    });
    return { suites: chooseSuites(positionals), json: values.json, help: values.help || values.list };
  } catch (thrown) {
    process.stderr.write(`test: ${thrown instanceof Error ? thrown.message : thrown}\n\n${USAGE}`);
    return undefined;
  }
}

/**
 * tap generates its test class from .taprc; a new install brings it without that.
 * @param {string} node
 */
function ensureTapBuilt(node) {
  const stamp = join(ROOT, 'node_modules', '.tap-built');
  const key = createHash('sha256')
    .update(readFileSync(join(ROOT, '.taprc')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  process.stderr.write('test: building the test library for .taprc\n');
  const { status } = spawnSync(node, [join(PROGRAMS, 'tap'), 'build'], { cwd: ROOT, stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new CannotRun('tap build failed; its message is above.');
  writeFileSync(stamp, key);
}

/**
 * @param {readonly SuiteResult[]} results
 * @param {boolean} json
 * @returns {number}
 */
function summarise(results, json) {
  /** @param {'passed' | 'failed' | 'skipped'} key */
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  const [passed, failed] = [sum('passed'), sum('failed')];
  const line = `${passed} passed, ${failed} failed\n`;
  if (json) {
    process.stderr.write(`\n${line}`);
    process.stdout.write(`${JSON.stringify({ passed, failed, skipped: sum('skipped'), suites: results })}\n`);
  } else {
    process.stdout.write(`\n${line}`);
  }
  return failed === 0 ? EXIT.passed : EXIT.failed;
}
