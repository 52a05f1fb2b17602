/**
 * An apt of our own: it knows Debian 13 (trixie) only and keeps all its state in one folder, so that the host's apt and
 * packages stay as they are, and no root is needed.
 *
 * The mirrors are those of the host's apt with the suite replaced, or the one that an option gives. apt checks the
 * signature of each release against Debian's keyring and every package against the release.
 */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { type Architecture, LOCK_COMMAND, type LockedPackage } from './lock.ts';
import { missingTool, run } from './run.ts';

const SUITE = 'trixie';
/** The firmware of the Raspberry Pi is in the second. */
const COMPONENTS = 'main non-free-firmware';
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const NOT_FOUND =
  /E: (?:Version '(?<version>[^']*)' for '(?<of>[^']*)' was not found|Unable to locate package (?<name>\S+))/g;

export interface NamedVersion {
  readonly name: string;
  readonly version: string;
}

export class Apt {
  readonly #folder: string;
  readonly #arch: Architecture;
  #options: readonly string[] | undefined;
  readonly #mirror: string | undefined;

  /** Keeps everything in `folder`; `mirror` is the address of an archive to use instead of the host's. */
  constructor(folder: string, arch: Architecture, mirror?: string) {
    this.#folder = folder;
    this.#arch = arch;
    this.#mirror = mirror;
  }

  /** What installing `packages` on an empty machine would install, without recommendations. */
  closureOf(packages: readonly string[]): NamedVersion[] {
    const plan = this.#get(['install', '--simulate', '--quiet=2', '--no-install-recommends', ...packages]);
    return [...plan.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name, version]) => ({
      name: name!,
      version: version!,
    }));
  }

  /** Fetches these versions and gives the folder with the files. Refuses `image-package-missing`, naming all. */
  download(packages: readonly NamedVersion[]): string {
    const folder = join(this.#folder, 'debs');
    mkdirSync(folder, { recursive: true });
    const words = packages.map(({ name, version }) => `${name}=${version}`);
    try {
      this.#get(['download', '--quiet=2', ...words], folder);
    } catch (thrown) {
      const missing = [...(thrown as Error).message.matchAll(NOT_FOUND)].map(({ groups }) => groups!);
      if (missing.length === 0) throw thrown;
      throw lacksVersions(missing.map(({ of, version, name }) => (of ? `${of} ${version}` : name!)));
    }
    return folder;
  }

  #get(words: readonly string[], cwd = this.#folder): string {
    this.#options ??= this.#prepare();
    return run(['apt-get', ...this.#options, ...words], { cwd });
  }

  /** Writes the configuration, asks the mirrors what they have, and gives the options for every call. */
  #prepare(): readonly string[] {
    if (!existsSync(KEYRING)) throw missingTool(KEYRING, 'debian-archive-keyring');
    for (const name of ['state/lists/partial', 'cache/archives/partial']) {
      mkdirSync(join(this.#folder, name), { recursive: true });
    }
    const sources = join(this.#folder, 'sources.list');
    const mirrors = this.#mirror === undefined ? mirrorsOfHost() : [this.#mirror];
    writeFileSync(sources, sourceLines(mirrors).concat('').join('\n'));
    writeFileSync(join(this.#folder, 'status'), '');
    const options = aptOptions(this.#folder, sources, this.#arch);
    run(['apt-get', ...options, '-o', 'APT::Update::Error-Mode=any', 'update', '--quiet=2'], { cwd: this.#folder });
    return options;
  }
}

/** The refusal of a mirror without what a lock names. */
export function lacksVersions(missing: readonly string[]): Problem {
  const what = missing.join(', ');
  return new Problem(
    'image-package-missing',
    `the mirror has no ${what}, which the lock names; ${LOCK_COMMAND} updates it`,
  );
}

/** Lines for apt that ask `mirrors` for trixie, its updates and its security updates. Refuses `config-invalid`. */
export function sourceLines(mirrors: readonly string[]): string[] {
  const lines = mirrors.flatMap((mirror) => {
    if (!/^(https?|file|mirror\+file|copy):\S+$/.test(mirror)) {
      throw new Problem('config-invalid', `"${mirror}" is not the address of a mirror, as http://HOST/debian`);
    }
    const security = /-security\/?$/.test(mirror);
    return (security ? [`${SUITE}-security`] : [SUITE, `${SUITE}-updates`]).map(
      (suite) => `deb [signed-by=${KEYRING}] ${mirror} ${suite} ${COMPONENTS}`,
    );
  });
  if (lines.length === 0) {
    throw new Problem('config-missing', 'apt of this host knows no mirror of Debian; give one with --mirror');
  }
  return lines;
}

/** The mirrors of Debian's archive and of its security updates that the host's apt uses. */
function mirrorsOfHost(): string[] {
  const targets = run(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const mirrors = [...new Set(targets.split('\n'))];
  const found = [/\/debian\/?$/, /\/debian-security\/?$/].map((path) => mirrors.find((uri) => path.test(uri)));
  return found.filter((uri) => uri !== undefined);
}

function aptOptions(folder: string, sources: string, arch: Architecture): string[] {
  const options = {
    'Dir::Etc::sourcelist': sources,
    'Dir::Etc::sourceparts': '-',
    'Dir::Etc::preferences': '-',
    'Dir::Etc::preferencesparts': '-',
    'Dir::State': join(folder, 'state'),
    'Dir::State::status': join(folder, 'status'),
    'Dir::Cache': join(folder, 'cache'),
    'APT::Architecture': arch,
    'APT::Architectures': arch,
    'APT::Sandbox::User': '', // the folder is the user's own
    'APT::Get::AllowUnauthenticated': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '3',
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Name and version of each package file in `folder`, by its path. */
export function debsIn(folder: string): Map<string, LockedPackage['name']> {
  const names = readdirSync(folder).filter((name) => name.endsWith('.deb'));
  return new Map(names.map((name) => [join(folder, name), name.split('_')[0]!]));
}
