/** What of an image others made: Debian's packages of its build record, the packages of the bundle, and Node. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildRecord } from './build.ts';
import { ROOT } from './bundle.ts';
import { lockedNode, type NodeArch } from './node-binary.ts';
import type { ForeignPart } from './sbom.ts';
import type { BundledPackage } from './third-party.ts';

/** All of them; the hashes of npm packages are those of package-lock.json. */
export function foreignParts(
  record: Pick<BuildRecord, 'arch' | 'packages'>,
  bundled: readonly BundledPackage[],
): ForeignPart[] {
  const { packages: locked } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const node = lockedNode(ROOT, nodeArch(record));
  return [
    ...record.packages.map(({ name, version, arch, sha256 }): ForeignPart => {
      return { kind: 'deb', name, version, arch, hash: { algorithm: 'SHA-256', hex: sha256 } };
    }),
    ...bundled.map(({ name, version, licence, path }): ForeignPart => {
      return { kind: 'npm', name, version, licence, hash: sha512(locked[path].integrity) };
    }),
    { kind: 'npm', name: node.name, version: node.version, licence: 'MIT', hash: sha512(node.integrity) },
  ];
}

/** Node's name of the processor of an image. */
export function nodeArch({ arch }: Pick<BuildRecord, 'arch'>): NodeArch {
  return arch === 'amd64' ? 'x64' : 'arm64';
}

function sha512(integrity: string): ForeignPart['hash'] {
  return { algorithm: 'SHA-512', hex: Buffer.from(integrity.replace('sha512-', ''), 'base64').toString('hex') };
}
