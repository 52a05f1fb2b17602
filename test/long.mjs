#!/usr/bin/env node
/** `npm run test:long -- PART ...`: what takes too long for the suites. Each part is a program; docs/long-run.md has figures. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { CannotRun, ensureInstalled, ROOT } from '../bin/install.mjs';

/** Programs of the pinned Node, by the name of the part. */
const PARTS = {
  fuzz: { what: 'every parser that meets bytes from outside', program: 'test/fuzz/main.ts' },
};

const EXIT = { usage: 2, couldNotRun: 3 };
const USAGE = `usage: npm run test:long -- PART [options]

parts (each has --help):
${Object.entries(PARTS)
  .map(([name, { what }]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}
`;

process.exitCode = await main(process.argv.slice(2));

/**
 * @param {string[]} words
 * @returns {Promise<number>}
 */
async function main([name = '', ...words]) {
  const part = Object.entries(PARTS).find(([known]) => known === name)?.[1];
  if (!part) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  try {
    const node = ensureInstalled({ withTests: true });
    const child = spawn(node, [join(ROOT, part.program), ...words], { stdio: 'inherit' });
    process.on('SIGINT', () => {}); // a terminal tells the part too, which ends itself
    process.on('SIGTERM', () => child.kill('SIGTERM'));
    const [status] = await once(child, 'close');
    return status ?? EXIT.couldNotRun;
  } catch (thrown) {
    if (!(thrown instanceof CannotRun)) throw thrown;
    process.stderr.write(`test:long: ${thrown.message}\n`);
    return EXIT.couldNotRun;
  }
}
