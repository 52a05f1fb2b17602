#!/usr/bin/env node
/** `npm run test:long -- PART ...`: what takes too long for the suites; without PART all of it. docs/long-run.md has figures. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CannotRun, ensureInstalled, ROOT } from '../bin/install.mjs';
import { PARTS, runAll, tableOf } from './runner/long-parts.mjs';

const EXIT = { ok: 0, failed: 1, usage: 2, couldNotRun: 3 };
const USAGE = `usage: npm run test:long -- [PART [options] | --json]

Without PART every part runs as it is by itself, one after the other, for some hours.

parts (each has --help):
${PARTS.map(({ name, what }) => `  ${name.padEnd(10)} ${what}`).join('\n')}
`;

process.exitCode = await main(process.argv.slice(2));

/**
 * @param {string[]} words
 * @returns {Promise<number>}
 */
async function main(words) {
  const [name, ...options] = words;
  const part = PARTS.find((known) => known.name === name);
  const all = name === undefined || (name === '--json' && options.length === 0);
  if (!part && !all) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  try {
    const node = ensureInstalled({ withTests: true });
    if (part) return await run(node, part, options, 1);
    return await runEach(node, name === '--json');
  } catch (thrown) {
    if (!(thrown instanceof CannotRun)) throw thrown;
    process.stderr.write(`test:long: ${thrown.message}\n`);
    return EXIT.couldNotRun;
  }
}

/**
 * @param {string} node
 * @param {boolean} json
 * @returns {Promise<number>}
 */
async function runEach(node, json) {
  const results = await runAll(PARTS, (part) => run(node, part, [], json ? 2 : 1));
  process.stdout.write(json ? `${JSON.stringify({ parts: results })}\n` : tableOf(results));
  return results.every(({ ok }) => ok) ? EXIT.ok : EXIT.failed;
}

/**
 * Runs one part to its end; its standard output goes to descriptor `output`.
 * @param {string} node
 * @param {import('./runner/long-parts.mjs').Part} part
 * @param {readonly string[]} options
 * @param {1 | 2} output
 * @returns {Promise<number>}
 */
async function run(node, { program }, options, output) {
  const child = spawn(node, [join(ROOT, program), ...options], { stdio: ['inherit', output, 'inherit'] });
  const onInterrupt = () => {}; // a terminal tells the part too, which ends itself
  const onTerminate = () => child.kill('SIGTERM');
  process.on('SIGINT', onInterrupt).on('SIGTERM', onTerminate);
  const [status] = await once(child, 'close');
  process.off('SIGINT', onInterrupt).off('SIGTERM', onTerminate);
  return status ?? EXIT.couldNotRun;
}
