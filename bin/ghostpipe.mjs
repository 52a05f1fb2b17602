#!/usr/bin/env node
/**
 * The entry of every tool. Any Node from 20 on runs this file; it hands over to the pinned Node.
 *
 * A link to this file (bin/paramant-sender, ...) names the tool; under its own name the first argument does.
 */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { CannotRun, ensureInstalled, ROOT } from './install.mjs';

const FORWARDED = /** @type {const} */ (['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGUSR2']);
/**
 * Where Node keeps what it compiled: without it each process holds the compiler of TypeScript, 27 MiB, and takes twice as
 * long to start. Whoever can write there can write the program itself; where nobody can, Node does without.
 */
const COMPILE_CACHE = join(ROOT, 'node_modules', '.cache', 'ghostpipe');
/** What a terminal sends to parent and child alike: forwarding it would deliver it twice. */
const FROM_TERMINAL = ['SIGHUP', 'SIGINT', 'SIGQUIT'];

const calledAs = basename(process.argv[1] ?? '', '.mjs');
const words = process.argv.slice(2);
try {
  handOver(ensureInstalled(), calledAs === 'ghostpipe' ? words : [calledAs, ...words]);
} catch (thrown) {
  if (!(thrown instanceof CannotRun)) throw thrown;
  refuse(thrown.message);
}

/**
 * Runs the dispatcher in the pinned Node and ends as it ends: its exit code, or 128 + n for signal n.
 * @param {string} node
 * @param {string[]} argv
 */
function handOver(node, argv) {
  const child = spawn(node, [join(ROOT, 'tools', 'ghostpipe', 'main.ts'), ...argv], {
    stdio: 'inherit',
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE, ...process.env },
  });
  const atTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
  for (const signal of FORWARDED) {
    process.on(signal, () => {
      if (!atTerminal || !FROM_TERMINAL.includes(signal)) child.kill(signal);
    });
  }
  child.on('error', (error) => refuse(`${node} cannot be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1);
  });
}

/** @param {string} sentence */
function refuse(sentence) {
  process.stderr.write(`ghostpipe: ${sentence}\n`);
  process.exitCode = 3;
}
