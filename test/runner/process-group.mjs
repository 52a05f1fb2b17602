/** A program in a process group of its own, with a time limit, and nothing of it left running. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const GRACE_MS = 5000;

/**
 * @typedef {object} Ending
 * @property {number} code Exit code; 1 when a signal ended it.
 * @property {'done' | 'overtime' | 'interrupted' | 'stopped'} how
 * @property {number[]} leftBehind Ids of processes of its group that outlived it when it ended by itself; they are
 *   ended too.
 */

/**
 * Runs a program to its end and hands every line of its output to `onLine`. Its group is ended after `limitMs`, when
 * `stop` says so, and when this process is interrupted. Rejects when the program cannot be started.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {object} options
 * @param {string} options.cwd
 * @param {NodeJS.ProcessEnv} options.env
 * @param {number} options.limitMs
 * @param {(line: string) => void} options.onLine
 * @param {AbortSignal} [options.stop]
 * @returns {Promise<Ending>}
 */
export async function runGroup(program, args, { cwd, env, limitMs, onLine, stop }) {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  /** @type {Ending} */
  const ending = { code: 1, how: 'done', leftBehind: [] };
  const group = child.pid;
  /** @param {Ending['how']} how */
  const end = (how) => {
    ending.how = how;
    endGroup(group);
  };
  const limit = setTimeout(end, limitMs, 'overtime');
  const interrupt = () => end('interrupted');
  const abandon = () => killGroup(group, 'SIGKILL');
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt).on('exit', abandon);
  stop?.addEventListener('abort', () => end('stopped'), { once: true });
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  try {
    await new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code) => {
        ending.code = code ?? 1;
        // One that lives on holds the output pipes open, and `close` would never come.
        ending.leftBehind = ending.how === 'done' ? membersOf(group) : [];
        for (const id of ending.leftBehind) kill(id, 'SIGKILL');
      });
      child.on('close', resolve);
    });
  } finally {
    clearTimeout(limit);
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt).off('exit', abandon);
  }
  return ending;
}

/**
 * Asks a whole group to end, and insists after a while.
 * @param {number | undefined} group
 */
function endGroup(group) {
  killGroup(group, 'SIGTERM');
  setTimeout(killGroup, GRACE_MS, group, 'SIGKILL').unref();
}

/**
 * Ids of the live processes of a group; dead ones that nobody has collected yet do not count.
 * @param {number | undefined} group
 * @returns {number[]}
 */
function membersOf(group) {
  if (group === undefined) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((id) => {
      const [state, , processGroup] = statOf(id);
      return Number(processGroup) === group && state !== 'Z' && state !== 'X';
    });
}

/**
 * The fields of /proc/ID/stat after the program's name (proc(5)): state, parent, process group, ...
 * @param {number} id
 * @returns {string[]}
 */
function statOf(id) {
  try {
    const stat = readFileSync(`/proc/${id}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}

/**
 * @param {number | undefined} group undefined when the program could not be started.
 * @param {NodeJS.Signals} signal
 */
function killGroup(group, signal) {
  if (group !== undefined && membersOf(group).length > 0) kill(-group, signal);
}

/**
 * @param {number} id
 * @param {NodeJS.Signals} signal
 */
function kill(id, signal) {
  try {
    process.kill(id, signal);
  } catch {
    // It ended by itself in between.
  }
}
