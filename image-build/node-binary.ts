/**
 * The pinned Node for a board's processor: the npm package that package-lock.json names, by the hash that stands there,
 * also for another processor than this machine's.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Problem } from '../protocol/problem.ts';

/** Processors that an image is made for, as Node calls them. */
export type NodeArch = 'x64' | 'arm64';

export interface LockedNode {
  /** The npm package. */
  readonly name: string;
  readonly version: string;
  /** `sha512-` and the hash of the package in base64. */
  readonly integrity: string;
}

const NPM_MS = 300_000;

/** What the lock file of the project in `root` pins for `arch`; refuses `file-invalid`. */
export function lockedNode(root: string, arch: NodeArch): LockedNode {
  const name = `node-linux-${arch}`;
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const { version, integrity } = packages[`node_modules/${name}`] ?? {};
  if (typeof version !== 'string' || !/^sha512-/.test(integrity ?? '')) {
    throw new Problem('file-invalid', `package-lock.json pins no ${name} by a SHA-512 hash`);
  }
  return { name, version, integrity };
}

/**
 * Path of the Node binary for `arch`, fetched by npm into a folder of `cache` when it is not there. npm compares the
 * package with the hash; refuses `file-invalid` with npm's words when it does not fit or cannot be had.
 */
export function nodeBinary(root: string, arch: NodeArch, cache: string): string {
  const locked = lockedNode(root, arch);
  // The hash is in the name: what another lock fetched is not taken for it.
  const hash = Buffer.from(locked.integrity.slice('sha512-'.length), 'base64').toString('hex').slice(0, 16);
  const folder = join(cache, `${locked.name}-${locked.version}-${hash}`);
  if (!existsSync(folder)) fetchInto(folder, locked);
  return join(folder, 'node_modules', locked.name, 'bin', 'node');
}

/** A project of this one package, installed beside `folder` and moved there when it is whole. */
function fetchInto(folder: string, { name, version, integrity }: LockedNode): void {
  mkdirSync(dirname(folder), { recursive: true });
  const work = mkdtempSync(`${folder}-`);
  try {
    const root = { name: 'runtime', version: '0.0.0', dependencies: { [name]: version } };
    // Without `cpu` here npm does not ask whether this machine could run it.
    const packages = { '': root, [`node_modules/${name}`]: { version, integrity } };
    writeFileSync(join(work, 'package.json'), JSON.stringify(root));
    writeFileSync(join(work, 'package-lock.json'), JSON.stringify({ ...root, lockfileVersion: 3, packages }));
    const words = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
    const { status, stderr, error } = spawnSync('npm', words, { cwd: work, encoding: 'utf8', timeout: NPM_MS });
    if (status !== 0) {
      const said = error?.message ?? stderr.trim().split('\n').slice(0, 3).join(' ');
      throw new Problem('file-invalid', `${name} ${version} cannot be had as the lock file pins it: ${said}`);
    }
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
