/** Programs of the build: run to their end with a clean environment, their words kept for the one who must mend it. */
import { spawnSync } from 'node:child_process';
import { Problem } from '../protocol/problem.ts';

const MAX_OUTPUT = 64 << 20;
/** How much of what a failed program said is told. */
const MAX_LINES = 12;
/** The slowest program is mksquashfs at its best level on a slow machine. */
const TIMEOUT_MS = 30 * 60_000;

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Runs `command` and gives what it printed. Refuses `tool-missing` when there is no such program,
 * `image-no-space` when it says that the disk is full, `image-build-failed` with its last words otherwise.
 */
export function run(command: readonly string[], { cwd, env }: RunOptions = {}): string {
  const [program, ...args] = command as [string, ...string[]];
  const { status, signal, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT,
    timeout: TIMEOUT_MS,
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env.PATH ?? '', LC_ALL: 'C.UTF-8', TZ: 'UTC', ...env },
  });
  if (status === 0) return stdout;
  const said = `${stderr ?? ''}\n${stdout ?? ''}`;
  if (/no space left/i.test(said)) throw noSpace(`${nameOf(command)} found no space left on the disk`);
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') throw missingTool(program);
  const words = said.trim().split('\n').slice(-MAX_LINES).join(' ');
  const how = error?.message ?? (signal ? `ended by ${signal}` : `exit code ${status}`);
  throw new Problem('image-build-failed', `${nameOf(command)} failed (${how}): ${words}`);
}

/** The refusal of a host without a program; `packageName` is the Debian package that has it. */
export function missingTool(program: string, packageName = program): Problem {
  return new Problem('tool-missing', `${program} is not on this host: apt-get install ${packageName}`);
}

/** The refusal of a full disk. */
export function noSpace(detail: string): Problem {
  return new Problem('image-no-space', detail);
}

/** The program's own name, also where its loader is what runs. */
function nameOf(command: readonly string[]): string {
  const at = command.indexOf('--library-path');
  return (at < 0 ? command[0]! : command[at + 2]!).split('/').at(-1)!;
}
