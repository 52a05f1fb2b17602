/** Checks of what the software is built from. */
import { parseJson } from '../../../protocol/canonical.ts';
import type { BuildFile, BuildTree } from '../build-tree.ts';
import type { BuildCheck } from '../check.ts';

const LIMIT = 16_777_216;
const ONE_VERSION = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

interface Locked {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
}

export const BUILD_CHECKS: readonly BuildCheck[] = [
  {
    id: 'lock-pins',
    layer: 'build',
    look(tree, see) {
      const packages = lockedPackages(tree);
      see('packages in the lock file', packages.length, 1, 'at-least');
      const loose = packages.filter(([, { version }]) => !ONE_VERSION.test(version ?? ''));
      see('packages without one version', loose.length, 0);
      see(
        'packages without a SHA-512',
        packages.filter(([, each]) => !each.integrity?.startsWith('sha512-')).length,
        0,
      );
      const dependencies = dependenciesOf(tree);
      see('dependencies', dependencies.length, 1, 'at-least');
      see(
        'dependencies without one version',
        dependencies.filter(([, version]) => !ONE_VERSION.test(version)).length,
        0,
      );
    },
    sabotages: {
      loose: (tree) => change(tree, 'package.json', /"yaml": "/, '"yaml": "^'),
      'no-hash': (tree) => change(tree, 'package-lock.json', /"integrity": "sha512-/, '"integrity": "sha1-'),
    },
  },
  {
    id: 'lock-no-scripts',
    layer: 'build',
    look({ files }, see) {
      see('settings that forbid scripts', count(files['.npmrc'], /^ignore-scripts=true$/gm), 1);
      see('calls of npm ci', count(files['bin/install.mjs'], /'ci'/g), 1, 'at-least');
      see(
        'calls of npm ci without --ignore-scripts',
        count(files['bin/install.mjs'], /'ci'(?!, '--ignore-scripts')/g),
        0,
      );
    },
    sabotages: {
      allowed: (tree) => change(tree, '.npmrc', 'ignore-scripts=true', 'ignore-scripts=false'),
      forgotten: (tree) => change(tree, 'bin/install.mjs', "'ci', '--ignore-scripts'", "'ci'"),
    },
  },
  {
    id: 'dependency-page',
    layer: 'build',
    look(tree, see) {
      const rows = dependencyRows(tree.files['docs/dependencies.md']);
      const dependencies = dependenciesOf(tree);
      see('rows of the page', rows.size, 1, 'at-least');
      const wrong = dependencies.filter(([name, version]) => rows.get(name)?.[0] !== version);
      see('dependencies without a row of their version', wrong.length, 0);
      see('rows without a reason', [...rows.values()].filter(([, , reason]) => !reason).length, 0);
      see(
        'rows of no dependency',
        [...rows.keys()].filter((row) => !dependencies.some(([name]) => name === row)).length,
        0,
      );
    },
    sabotages: {
      unlisted: (tree) => change(tree, 'docs/dependencies.md', /^\| yaml .*$/m, ''),
      'extra-row': (tree) =>
        change(tree, 'docs/dependencies.md', /^\| yaml /m, '| left-pad | 1.0.0 | MIT | none |\n| yaml '),
    },
  },
  {
    id: 'installed-as-locked',
    layer: 'build',
    look(tree, see) {
      const locked = new Map(lockedPackages(tree));
      see('packages installed', tree.installed.size, 1, 'at-least');
      const unknown = [...tree.installed.keys()].filter((path) => !locked.has(path));
      see('installed packages that are not locked', unknown.length, 0);
      const other = [...tree.installed].filter(
        ([path, version]) => locked.has(path) && locked.get(path)!.version !== version,
      );
      see('installed packages of another version', other.length, 0);
    },
    sabotages: {
      swapped: (tree) => ({ ...tree, installed: new Map([...tree.installed, ['node_modules/yaml', '0.0.1']]) }),
      smuggled: (tree) => ({ ...tree, installed: new Map([...tree.installed, ['node_modules/left-pad', '1.0.0']]) }),
    },
  },
];

/** The tree with one text of one file changed; what is not there cannot be sabotaged. */
function change(tree: BuildTree, file: BuildFile, find: string | RegExp, replace: string): BuildTree {
  const text = tree.files[file].replace(find, replace);
  if (text === tree.files[file]) throw new Error(`${file} does not hold what is to be sabotaged`);
  return { ...tree, files: { ...tree.files, [file]: text } };
}

function lockedPackages({ files }: BuildTree): [string, Locked][] {
  const { packages } = parseJson(Buffer.from(files['package-lock.json']), LIMIT) as unknown as {
    packages: Readonly<Record<string, Locked>>;
  };
  return Object.entries(packages).filter(([path]) => path !== '');
}

function dependenciesOf({ files }: BuildTree): [string, string][] {
  const manifest = parseJson(Buffer.from(files['package.json']), LIMIT) as Record<string, Record<string, string>>;
  const kinds = ['dependencies', 'devDependencies', 'optionalDependencies'];
  return kinds.flatMap((kind) => Object.entries(manifest[kind] ?? {}));
}

/** Version, licence and reason of each package that has a row. */
function dependencyRows(page: string): Map<string, readonly string[]> {
  const rows = page.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));
  const named = rows.filter(([, name]) => name && name !== 'package' && !/^-+$/.test(name));
  return new Map(named.map(([, name, ...cells]) => [name!, cells.slice(0, 3)]));
}

function count(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].length;
}
