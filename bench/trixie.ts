/**
 * Programs of Debian 13 (trixie) on an older Debian: packages unpacked in a folder, run with their own loader and
 * libraries. Nothing is installed, and apt of the host keeps its state.
 *
 * The mirror is the one that the host's apt uses. apt checks the signature of the release against Debian's keyring
 * and each package against the release; a keyring without trixie's keys refuses.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CannotMeasure } from './figures.ts';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const APT_MS = 120_000;

export interface Unpacked {
  /** Program and arguments that run `program` (a path as `usr/sbin/nginx`) of the folder. */
  command(program: string): readonly [string, ...string[]];
}

/** The `packages` unpacked in `folder`, fetched when it is not there. Throws `CannotMeasure` with the reason. */
export function unpackTrixie(folder: string, packages: readonly string[]): Unpacked {
  if (!existsSync(folder)) fetchInto(folder, packages);
  const [loader] = globSync('usr/lib/*-linux-gnu*/ld-linux-*.so.*', { cwd: folder });
  if (!loader) throw new CannotMeasure(`${folder} has no loader: remove the folder and try again`);
  const libraries = join(folder, dirname(loader));
  return { command: (program) => [join(folder, loader), '--library-path', libraries, join(folder, program)] };
}

/** Fetches and unpacks beside `folder`, and moves it there when it is whole. */
function fetchInto(folder: string, packages: readonly string[]): void {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}-`);
  try {
    const apt = privateApt(work);
    const debs = join(work, 'debs');
    mkdirSync(debs);
    run('apt-get', [...apt, 'update'], work);
    run('apt-get', [...apt, 'download', ...packages], debs);
    const root = join(work, 'root');
    for (const deb of globSync('*.deb', { cwd: debs })) run('dpkg-deb', ['--extract', join(debs, deb), root], work);
    renameSync(root, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Options of an apt that knows trixie only and keeps everything below `work`. */
function privateApt(work: string): string[] {
  if (!existsSync(KEYRING)) throw new CannotMeasure(`${KEYRING} is missing: this is no Debian`);
  for (const folder of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(join(work, folder), { recursive: true });
  }
  const sources = join(work, 'sources.list');
  writeFileSync(sources, sourceLines().join('\n').concat('\n'));
  writeFileSync(join(work, 'status'), '');
  const options = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'Dir::State': join(work, 'state'),
    'Dir::State::status': join(work, 'status'),
    'Dir::Cache': join(work, 'cache'),
    'APT::Sandbox::User': '', // the folder is the user's own
    'APT::Get::AllowUnauthenticated': 'false',
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** The host's mirrors of the archive and of its security updates, asked for trixie. */
function sourceLines(): string[] {
  const targets = run('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages'], '.');
  const mirrors = [...new Set(targets.split('\n'))];
  const lines = [
    [/\/debian\/?$/, 'trixie'],
    [/\/debian-security\/?$/, 'trixie-security'],
  ] as const;
  const found = lines.flatMap(([path, suite]) => {
    const mirror = mirrors.find((uri) => path.test(uri));
    return mirror ? [`deb [signed-by=${KEYRING}] ${mirror} ${suite} main`] : [];
  });
  if (found.length === 0) throw new CannotMeasure('apt of this host knows no mirror of Debian');
  return found;
}

function run(program: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: 'utf8', timeout: APT_MS });
  if (status === 0) return stdout;
  const said = (stderr ?? '').trim().split('\n').slice(-3).join(' ');
  throw new CannotMeasure(`${program} ${args.at(-1)} failed: ${error?.message ?? said}`);
}
