/** The files that say what the software is built from, read once, and the packages that are really installed. */
import { createHash } from 'node:crypto';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseJson } from '../../protocol/canonical.ts';
import { Problem } from '../../protocol/problem.ts';
import { readFileBounded } from '../lib/files.ts';

const FILES = ['package.json', 'package-lock.json', '.npmrc', 'bin/install.mjs', 'docs/dependencies.md'] as const;
export type BuildFile = (typeof FILES)[number];

const LIMIT = 16_777_216;

export interface BuildTree {
  readonly files: Readonly<Record<BuildFile, string>>;
  /** Version of each package below node_modules, by its path from the project's folder. */
  readonly installed: ReadonlyMap<string, string>;
}

/** Reads the tree of a project; refuses `file-invalid` for what is not there. */
export function readBuildTree(project: string): BuildTree {
  const files = Object.fromEntries(FILES.map((file) => [file, readText(join(project, file))]));
  return { files: files as Record<BuildFile, string>, installed: installedIn(project) };
}

/** Path, hash and length of each file of a tree, for the record. */
export function digestsOf({ files }: BuildTree): { path: string; sha256: string; bytes: number }[] {
  return Object.entries(files).map(([path, text]) => ({
    path,
    sha256: createHash('sha256').update(text).digest('hex'),
    bytes: Buffer.byteLength(text),
  }));
}

function installedIn(project: string): Map<string, string> {
  const found = globSync('node_modules/**/package.json', { cwd: project, exclude: (name) => name === '.cache' });
  const packages = found.filter((path) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path));
  return new Map(
    packages.sort().map((path) => {
      const { version } = parseJson(Buffer.from(readText(join(project, path))), LIMIT) as { version?: string };
      return [path.replace(/\/package\.json$/, ''), version ?? ''];
    }),
  );
}

function readText(path: string): string {
  const bytes = readFileBounded(path, LIMIT);
  if (!bytes) throw new Problem('file-invalid', `${path} does not exist`);
  return Buffer.from(bytes).toString('utf8');
}
