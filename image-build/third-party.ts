/** The packages whose code is in the bundle, and the text of their licences. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Metafile } from 'esbuild';

export interface BundledPackage {
  readonly name: string;
  readonly version: string;
  /** What its package.json says. */
  readonly licence: string;
  /** Its folder from the project's, as `node_modules/fastify`. */
  readonly path: string;
}

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;
const PACKAGE = /^((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/** The packages of which a file went into the bundle, in the order of their paths. */
export function bundledPackages(root: string, { outputs }: Metafile): BundledPackage[] {
  const inputs = Object.values(outputs).flatMap((output) =>
    Object.entries(output.inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
  );
  const paths = new Set(inputs.flatMap((path) => PACKAGE.exec(path)?.[1] ?? []));
  return [...paths].sort().map((path) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, path, 'package.json'), 'utf8'));
    return { name, version, licence: String(license), path };
  });
}

/** One text with the licence of each package. Throws for one that carries none and names none. */
export function licenceTexts(root: string, packages: readonly BundledPackage[]): string {
  const head = 'Ghost Pipe contains the packages below. Each is under its own licence, which follows its name.\n';
  return packages
    .map((each) => `${'='.repeat(78)}\n${textOf(root, each)}`)
    .reduce((all, text) => `${all}\n${text}`, head);
}

function textOf(root: string, { name, version, licence, path }: BundledPackage): string {
  const folder = join(root, path);
  const files = readdirSync(folder)
    .filter((file) => LICENCE_FILE.test(file))
    .sort();
  const texts = files.map((file) => readFileSync(join(folder, file), 'utf8').trimEnd());
  if (texts.length === 0) texts.push(readmeLicence(folder, name));
  return `${name} ${version} (${licence})\n\n${texts.join('\n\n')}\n`;
}

/** Some packages have their licence in the last chapter of their README. */
function readmeLicence(folder: string, name: string): string {
  const readme = ['README.md', 'readme.md', 'Readme.md']
    .map((file) => join(folder, file))
    .find((path) => existsSync(path));
  const chapter = readme && /^#+ *licen[cs]e\b[\s\S]*$/im.exec(readFileSync(readme, 'utf8'))?.[0];
  if (!chapter) throw new Error(`${name} carries no licence text`);
  return chapter.trimEnd();
}
