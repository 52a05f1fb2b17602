/**
 * The programs that make an image: Debian 13's, unpacked in the cache and run with their own loader and libraries, so
 * that every host gives the same bytes and nothing is installed on it.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { ARCHITECTURES, type Architecture, formatLock, type LockedPackage, readLock } from './lock.ts';
import { cacheFolder, fetchPackages, unpack } from './packages.ts';
import { type RunOptions, run } from './run.ts';

/** Packages whose programs the build runs. */
export const TOOL_PACKAGES = [
  'cryptsetup-bin', // veritysetup
  'dosfstools', // mkfs.vfat
  'genimage',
  'kmod', // depmod, modprobe
  'liblzma5', // depmod reads compressed modules with it
  'mtools', // mcopy
  'squashfs-tools',
  'systemd', // systemctl and systemd-sysusers with --root
  'xz-utils',
  'zstd',
] as const;

export class Tools {
  readonly packages: readonly LockedPackage[];
  readonly #folder: string;
  readonly #loader: string;
  readonly #libraries: string;
  readonly #env: Readonly<Record<string, string>>;

  /** Takes the unpacked tools in `folder`; every program gets `epoch` as its time, in seconds since 1970. */
  constructor(folder: string, packages: readonly LockedPackage[], epoch: number) {
    this.#folder = folder;
    this.packages = packages;
    const [loader] = globSync('usr/lib/*-linux-gnu*/ld-linux-*.so.*', { cwd: folder });
    if (!loader) throw new Problem('file-invalid', `${folder} has no loader: remove the folder and try again`);
    this.#loader = join(folder, loader);
    const libraries = join(folder, dirname(loader));
    this.#libraries = `${libraries}:${join(libraries, 'systemd')}`;
    this.#env = { SOURCE_DATE_EPOCH: String(epoch), MTOOLS_SKIP_CHECK: '1', MTOOLSRC: '/dev/null' };
  }

  /** Runs `program` (a path as `usr/bin/mksquashfs`) with `args` and gives what it printed; refuses as `run` does. */
  run(program: string, args: readonly string[], { cwd, env }: RunOptions = {}): string {
    const command = [this.#loader, '--library-path', this.#libraries, join(this.#folder, program), ...args];
    return run(command, { ...(cwd === undefined ? {} : { cwd }), env: { ...this.#env, ...env } });
  }
}

/** The tools of the lock for this host, fetched and unpacked when the cache lacks them. */
export function openTools(epoch: number, mirror?: string): Tools {
  const arch = hostArchitecture();
  const lock = readLock(`tools-${arch}`);
  const name = `tools-${createHash('sha256').update(formatLock(lock)).digest('hex').slice(0, 16)}`;
  const folder = join(cacheFolder(), name);
  if (!existsSync(folder)) {
    const files = fetchPackages(lock, arch, mirror);
    mkdirSync(cacheFolder(), { recursive: true });
    const work = mkdtempSync(`${folder}-`);
    try {
      unpack(files, work);
      renameSync(work, folder);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  return new Tools(folder, lock, epoch);
}

/** The architecture of this host in Debian's words. Refuses `tool-missing` for one that has no tools. */
export function hostArchitecture(): Architecture {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch;
  const known = ARCHITECTURES.find((each) => each === arch);
  if (!known)
    throw new Problem('tool-missing', `this host is ${arch}; images are built on ${ARCHITECTURES.join(' or ')}`);
  return known;
}
