/** Somebody who types the commands of a document: in a fresh copy of the project, with a home folder of its own. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Ending, runGroup } from '../runner/process-group.mjs';
import type { CommandBlock } from './commands.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export interface Outcome extends Ending {
  readonly output: string;
  /** Whether the line that a running block waits for has come. */
  readonly ready: boolean;
}

export class Reader {
  readonly #folder = mkdtempSync(join(tmpdir(), 'ghostpipe-reader-'));
  readonly #project = join(this.#folder, 'project');
  readonly #home = join(this.#folder, 'home');
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>[] = [];

  /** Makes a copy of all files that belong to the repository, with the installed packages. */
  constructor() {
    mkdirSync(this.#home);
    const listing = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
    for (const path of listing.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)))) {
      cpSync(join(ROOT, path), join(this.#project, path), { verbatimSymlinks: true });
    }
    // A copy, so that a command may install anew; packages are not written to, so that their files may be shared.
    const packages = [join(ROOT, 'node_modules'), join(this.#project, 'node_modules')];
    try {
      execFileSync('cp', ['-al', ...packages], { stdio: 'ignore' });
    } catch {
      execFileSync('cp', ['-a', ...packages]);
    }
  }

  /** Types a block: waits for its end, or until it is ready when it keeps running. */
  async type({ text, ready }: CommandBlock, limitMs: number): Promise<Outcome> {
    let output = '';
    let sawReady: (() => void) | undefined;
    const isReady = new Promise<void>((resolve) => {
      sawReady = resolve;
    });
    const ended = runGroup('bash', ['-euo', 'pipefail', '-c', `${FORGET_THE_TEST}\n${text}`], {
      cwd: this.#project,
      env: readersEnvironment(this.#home),
      limitMs,
      stop: this.#stop.signal,
      onLine: (line) => {
        output += `${line}\n`;
        if (ready !== undefined && line.includes(ready)) sawReady?.();
      },
    });
    this.#running.push(ended);
    const ending = await Promise.race([ended, isReady]);
    return { code: 0, how: 'done', leftBehind: [], ...ending, output, ready: !ending };
  }

  /** Ends what is still running, and removes the folders. */
  async leave(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** tap hands its own settings to every child; a reader's shell has none of them. */
const FORGET_THE_TEST = 'unset NODE_OPTIONS $(compgen -v _TAPJS_) $(compgen -v TAP)';

/**
 * The environment of a login on this machine: nothing of npm, of the tests, or of the tester's home. The tests are
 * running already: inside them, a test command only says what it would run.
 */
function readersEnvironment(home: string): NodeJS.ProcessEnv {
  const { PATH = '', LANG = 'C.UTF-8', USER = 'reader' } = process.env;
  const path = PATH.split(delimiter).filter((folder) => !folder.includes('node_modules'));
  return { HOME: home, PATH: path.join(delimiter), LANG, USER, TERM: 'dumb', GHOSTPIPE_TEST_DRY_RUN: '1' };
}
