/** The time that all files of an image get: that of the last commit, so that the same sources give the same time. */
import { execFileSync } from 'node:child_process';
import { Problem } from '../protocol/problem.ts';
import { ROOT } from './bundle.ts';

/** When the last commit was made, in seconds since 1970; refuses `usage` where git does not know. */
export function lastCommit(): number {
  const words = ['log', '-1', '--format=%ct'];
  try {
    return Number(execFileSync('git', words, { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  } catch {
    throw new Problem('usage', '--epoch is missing, and git does not know when the last commit was made');
  }
}
