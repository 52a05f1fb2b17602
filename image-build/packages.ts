/** Debian packages as files: fetched once by version, kept by hash, unpacked without running anything in them. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { Apt, debsIn } from './apt.ts';
import type { Architecture, LockedPackage } from './lock.ts';
import { run } from './run.ts';

/** Where packages and tools stay between builds: ghostpipe/image in the user's cache folder. */
export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ghostpipe', 'image');
}

/** The file of each package of `lock`, in its order; fetches those that the cache lacks. */
export function fetchPackages(lock: readonly LockedPackage[], arch: Architecture, mirror?: string): string[] {
  const missing = lock.filter((each) => !existsSync(fileOf(each)));
  if (missing.length > 0) withApt(arch, mirror, (apt) => keep(apt.download(missing), missing));
  return lock.map(fileOf);
}

/** Runs `use` with an apt whose folder is gone afterwards. */
export function withApt<T>(arch: Architecture, mirror: string | undefined, use: (apt: Apt) => T): T {
  mkdirSync(cacheFolder(), { recursive: true });
  const folder = mkdtempSync(join(cacheFolder(), 'apt-'));
  try {
    return use(new Apt(folder, arch, mirror));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Moves package files from `folder` to the cache; what is not in `lock` with these bytes is refused `hash-mismatch`. */
export function keep(folder: string, lock: readonly LockedPackage[]): void {
  mkdirSync(join(cacheFolder(), 'debs'), { recursive: true });
  for (const [file, name] of debsIn(folder)) {
    const expected = lock.find((each) => each.name === name);
    if (!expected) continue;
    const sha256 = hashOf(file);
    if (sha256 !== expected.sha256) {
      const { version } = expected;
      throw new Problem('hash-mismatch', `${name} ${version} has SHA-256 ${sha256}, the lock says ${expected.sha256}`);
    }
    renameSync(file, fileOf(expected));
  }
}

/** Unpacks package files into `folder`, in their order. No program of theirs runs. */
export function unpack(files: readonly string[], folder: string): void {
  for (const file of files) run(['dpkg-deb', '--extract', file, folder]);
}

/** The SHA-256 of a file, in hex. */
export function hashOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function fileOf({ name, sha256 }: LockedPackage): string {
  return join(cacheFolder(), 'debs', `${name}-${sha256}.deb`);
}
