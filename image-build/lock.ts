/**
 * Locks of Debian packages: which version, with which bytes. A lock is a text file, one package a line:
 * `NAME VERSION ARCHITECTURE SHA256`, sorted by name; `#` begins a comment.
 */
import { join } from 'node:path';
import { Problem } from '../protocol/problem.ts';
import { readFileBounded } from '../tools/lib/files.ts';

/** Architectures of Debian that images are built for. */
export const ARCHITECTURES = ['amd64', 'arm64'] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** `all`, or an architecture. */
  readonly arch: string;
  /** Of the package file, in hex. */
  readonly sha256: string;
}

/** `root-ARCH`: what images are made of. `tools-ARCH`: what makes them, on a host of that architecture. */
export type LockName = `${'root' | 'tools'}-${string}`;

const MAX_BYTES = 256 << 10;
const LINE = /^([a-z0-9][a-z0-9+.-]+) ([A-Za-z0-9.+:~-]+) (all|amd64|arm64) ([0-9a-f]{64})$/;

/** The command that writes the locks anew. */
export const LOCK_COMMAND = 'npm run image:lock';

/** Where the lock `name` stands. */
export function lockFile(name: LockName): string {
  return join(import.meta.dirname, 'lock', `${name}.txt`);
}

/** The packages of the lock `name`. Refuses `config-missing` and what `parseLock` refuses. */
export function readLock(name: LockName): LockedPackage[] {
  const file = lockFile(name);
  let bytes: Uint8Array | null = null;
  bytes = readFileBounded(file, MAX_BYTES);
  if (bytes === null) throw new Problem('config-missing', `there is no lock ${file}; ${LOCK_COMMAND} writes it`);
  return parseLock(Buffer.from(bytes).toString('utf8'), file);
}

/** The packages of a lock's text; `file` names it in messages. Refuses `file-invalid` with the line. */
export function parseLock(text: string, file: string): LockedPackage[] {
  const packages: LockedPackage[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, version, arch, sha256] = LINE.exec(line) ?? [];
    if (!name || !version || !arch || !sha256) {
      throw new Problem('file-invalid', `${file}:${index + 1} is not "NAME VERSION ARCHITECTURE SHA256": ${line}`);
    }
    const before = packages.at(-1)?.name ?? '';
    if (name <= before)
      throw new Problem('file-invalid', `${file}:${index + 1}: ${name} must not stand after ${before}`);
    packages.push({ name, version, arch, sha256 });
  }
  if (packages.length === 0) throw new Problem('file-invalid', `${file} names no package`);
  return packages;
}

/** The text of a lock, in any order of `packages` the same. */
export function formatLock(packages: readonly LockedPackage[]): string {
  const sorted = packages.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const lines = sorted.map(({ name, version, arch, sha256 }) => `${name} ${version} ${arch} ${sha256}`);
  return ['# Written by npm run image:lock; docs/appliance.md says when.', ...lines, ''].join('\n');
}
