#!/usr/bin/env node
/** `npm run test:long -- PART ...`: what takes too long for the suites. Each part is a program; docs/long-run.md has figures. */
import { spawnSync } from 'node:child_process';
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

process.exitCode = main(process.argv.slice(2));

/**
 * @param {string[]} words
 * @returns {number}
 */
function main([name = '', ...words]) {
  const part = Object.entries(PARTS).find(([known]) => known === name)?.[1];
  if (!part) {
    process.stderr.write(USAGE);
    return EXIT.usage;
  }
  process.on('SIGINT', () => {}).on('SIGTERM', () => {}); // the part ends itself
  try {
    const node = ensureInstalled({ withTests: true });
    const { status } = spawnSync(node, [join(ROOT, part.program), ...words], { stdio: 'inherit' });
    return status ?? EXIT.couldNotRun;
  } catch (thrown) {
    if (!(thrown instanceof CannotRun)) throw thrown;
    process.stderr.write(`test:long: ${thrown.message}\n`);
    return EXIT.couldNotRun;
  }
}
