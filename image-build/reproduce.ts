/**
 * Builds an image twice, and compares: the second time as a user without rights, in another folder, with programs
 * unpacked anew. Only what was fetched (packages, Node) is the same; each has its hash in a lock.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, globSync, lchownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { compareImages, type Difference } from './compare-images.ts';
import { missingTool } from './run.ts';

export interface ReproducePlan {
  /** The program that builds, and its words but for `--out` and `--json`. */
  readonly builder: readonly string[];
  /** What has to stay between builds, below the user's cache folder. */
  readonly cache: string;
  /** Patterns of what in it was fetched. */
  readonly fetched: readonly string[];
  /** Words that run a command as another user; none when this one has no rights itself. */
  readonly asOther: readonly string[];
  /** Told of each build. */
  readonly say: (line: string) => void;
}

export interface Reproduction {
  /** SHA-256 of both images, in hex. */
  readonly sha256: readonly [string, string];
  readonly difference: Difference | null;
}

/** A user that owns nothing. */
const NOBODY = 65_534;

/** Runs a command as nobody, without any capability and without a way to gain one. */
export const AS_NOBODY: readonly string[] = [
  'setpriv',
  ...[`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups', '--no-new-privs'],
  ...['--inh-caps=-all', '--ambient-caps=-all', '--bounding-set=-all'],
];

/** Builds twice and compares. Refuses `image-build-failed` when a build does; its words are on stderr. */
export function reproduce(plan: ReproducePlan): Reproduction {
  const work = mkdtempSync(join(tmpdir(), 'ghostpipe-reproduce-'));
  chmodSync(work, 0o755);
  try {
    plan.say('first build');
    const first = build(plan, [], join(work, 'first'));
    plan.say(plan.asOther.length > 0 ? 'second build, as a user without rights' : 'second build');
    const elsewhere = join(work, 'second', 'another', 'folder');
    const home = join(work, 'home');
    prepare(plan, [elsewhere, home], home);
    const second = build(plan, plan.asOther, elsewhere, { HOME: home, XDG_CACHE_HOME: join(home, 'cache') });
    return { sha256: [first.sha256, second.sha256], difference: compareImages(first.file, second.file) };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Gives the second build folders of its own, and what was fetched. */
function prepare({ cache, fetched, asOther }: ReproducePlan, folders: readonly string[], home: string): void {
  for (const folder of folders) mkdirSync(folder, { recursive: true });
  const own = join(home, 'cache', 'ghostpipe', 'image');
  for (const name of globSync([...fetched], { cwd: cache }))
    cpSync(join(cache, name), join(own, name), { recursive: true });
  if (asOther.length === 0) return;
  for (const folder of folders) {
    for (const path of ['.', ...globSync('**', { cwd: folder })]) lchownSync(join(folder, path), NOBODY, NOBODY);
  }
}

function build(
  { builder }: ReproducePlan,
  through: readonly string[],
  out: string,
  env: Readonly<Record<string, string>> = {},
): { file: string; sha256: string } {
  const [program = '', ...words] = [...through, ...builder, '--out', out, '--json'];
  const { status, stdout, error } = spawnSync(program, words, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const last = (stdout ?? '').trimEnd().split('\n').at(-1)!;
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') throw missingTool(program, 'util-linux');
  if (status !== 0) throw new Problem('image-build-failed', `the build ended with exit code ${status}: ${last}`);
  const { image } = JSON.parse(last) as { image: { file: string; sha256: string } };
  if (!existsSync(image.file)) throw new Problem('image-build-failed', `the build left no ${image.file}`);
  return image;
}
