/** Few dependencies, exact, each with a reason that somebody wrote down. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '..', '..');
const KINDS = ['dependencies', 'devDependencies', 'optionalDependencies'] as const;

type Manifest = { readonly [kind in (typeof KINDS)[number]]?: Readonly<Record<string, string>> };

/** One sentence for each dependency that is not one exact version. */
function loosePins(manifest: Manifest): string[] {
  return dependenciesOf(manifest)
    .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))
    .map(([name, version]) => `${name} is "${version}", which is not one version`);
}

/** One sentence for each difference between the manifest and the tables of the page. */
function undocumented(manifest: Manifest, page: string): string[] {
  const rows = new Map<string, readonly string[]>();
  for (const line of page.split('\n')) {
    const [, name, ...cells] = line.split('|').map((cell) => cell.trim());
    if (name && name !== 'package' && !/^-+$/.test(name)) rows.set(name, cells);
  }
  const dependencies = dependenciesOf(manifest);
  const wrong = dependencies.filter(([name, version]) => rows.get(name)?.[0] !== version || !rows.get(name)?.[2]);
  const extra = [...rows.keys()].filter((row) => !dependencies.some(([name]) => name === row));
  return [
    ...wrong.map(([name, version]) => `${name} ${version} has no row with this version and a reason`),
    ...extra.map((name) => `${name} has a row but is no dependency`),
  ];
}

/** One sentence for each package of the lock that names a host, or that has no hash. */
function looseLocks(lock: string): string[] {
  const { packages } = JSON.parse(lock) as { packages: Record<string, { resolved?: string; integrity?: string }> };
  return Object.entries(packages).flatMap(([path, { resolved, integrity }]) => {
    if (path === '') return [];
    if (resolved !== undefined) return [`${path} is bound to a place: ${resolved}`];
    return integrity?.startsWith('sha512-') ? [] : [`${path} has no SHA-512 hash`];
  });
}

function dependenciesOf(manifest: Manifest): [string, string][] {
  return KINDS.flatMap((kind) => Object.entries(manifest[kind] ?? {}));
}

t.test('the project keeps the rules', async (t) => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
  t.ok(dependenciesOf(manifest).length > 0, 'the dependencies were found');
  t.same(loosePins(manifest), []);
  t.same(undocumented(manifest, readFileSync(join(ROOT, 'docs', 'dependencies.md'), 'utf8')), []);
  t.same(looseLocks(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')), []);
});

t.test('the programs of package.json are there', async (t) => {
  const { bin, scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  for (const path of Object.values<string>(bin)) t.ok(existsSync(join(ROOT, path)), path);
  for (const command of Object.values<string>(scripts)) {
    const script = /^node (\S+)/.exec(command)?.[1];
    if (script) t.ok(existsSync(join(ROOT, script)), command);
  }
});

t.test('what breaks a rule is found', async (t) => {
  for (const version of ['^1.2.3', '~1.2.3', '*', 'latest', '1.2', '>=1.2.3', 'file:../x', 'github:owner/name']) {
    t.equal(loosePins({ devDependencies: { a: version } }).length, 1, version);
  }
  const manifest = { dependencies: { a: '1.2.3' } };
  t.same(undocumented(manifest, '| a | 1.2.3 | MIT | for b |'), []);
  t.equal(undocumented(manifest, '').length, 1, 'no row');
  t.equal(undocumented(manifest, '| a | 1.2.4 | MIT | for b |').length, 1, 'another version');
  t.equal(undocumented(manifest, '| a | 1.2.3 | MIT | |').length, 1, 'no reason');
  t.equal(undocumented({}, '| a | 1.2.3 | MIT | for b |').length, 1, 'a row too many');
  t.equal(looseLocks('{"packages":{"node_modules/a":{"integrity":"sha512-x","resolved":"a"}}}').length, 1);
  t.equal(looseLocks('{"packages":{"node_modules/a":{}}}').length, 1);
});
