/** What may be in the repository: files of a readable size, nothing of the machine that they were written on. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';

const ROOT = join(import.meta.dirname, '..', '..');
const MAX_LINES = 300;
/** Files that are no code: prose, data, and what a program wrote. */
const MAY_BE_LONG = [/^docs\//, /^CHANGELOG\.md$/, /^package-lock\.json$/, /^test\/vectors\/.*\.json$/];
const FIRST_FOLDERS = 'bin boot dev etc home lib media mnt opt proc root run sbin srv sys tmp usr var'.split(' ');

const REGISTRY = /https?:\/\/registry|\bregistry\.[\w-]+\.(com|org|net|io|dev)\b/;

/** One sentence for each file that is too long to be read at once. */
function tooLong(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files)
    .filter(([path]) => !MAY_BE_LONG.some((pattern) => pattern.test(path)))
    .map(([path, text]) => ({ path, lines: text.split('\n').length - 1 }))
    .filter(({ lines }) => lines > MAX_LINES)
    .map(({ path, lines }) => `${path} has ${lines} lines, at most ${MAX_LINES}`);
}

/** One sentence for each place that exists on one machine only, or that packages come from. */
function tracesOfMachine(files: Readonly<Record<string, string>>, places: readonly RegExp[]): string[] {
  return Object.entries(files).flatMap(([path, text]) =>
    places.flatMap((place) => {
      const found = place.exec(text);
      return found ? [`${path} names ${found[0]}`] : [];
    }),
  );
}

/** The files outside test/ whose names are a test's: what counts lines leaves them out. */
function namedLikeTests(paths: readonly string[]): string[] {
  return paths.filter((path) => !path.startsWith('test/') && /(^|[.-])test\.(ts|mjs)$/.test(path));
}

/** Home folders, temporary files, package registries, and where this project and this user live. */
function placesOf(root: string, home: string): RegExp[] {
  const own = [root, home].filter((path) => path.split('/').length > 2).map(literally);
  const first = root.split('/')[1]!;
  if (!FIRST_FOLDERS.includes(first)) own.push(new RegExp(`(?<![\\w.])/${RegExp.escape(first)}/`));
  return [/\/(home|Users)\/[a-z][\w-]*\//, /\/root\/[\w.]/, /\/tmp\/[\w.]/, REGISTRY, ...own];
}

function literally(text: string): RegExp {
  return new RegExp(RegExp.escape(text));
}

/** Text files of the repository, and new ones that nobody told it to ignore. */
function textFiles(): Record<string, string> {
  const files: Record<string, string> = {};
  for (const path of listFiles()) {
    const bytes = readFileSync(join(ROOT, path));
    if (!bytes.includes(0)) files[path] = bytes.toString('utf8');
  }
  return files;
}

function listFiles(): string[] {
  const listing = execFileSync('git', ['ls-files', '-coz', '--exclude-standard'], { cwd: ROOT, encoding: 'utf8' });
  return listing.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

t.test('the project keeps the rules', async (t) => {
  const files = textFiles();
  t.ok(Object.keys(files).length > 50, 'the files were found');
  t.same(tooLong(files), []);
  t.same(namedLikeTests(Object.keys(files)), []);
  t.same(tracesOfMachine(files, placesOf(ROOT, homedir())), []);
});

t.test('every program in bin can be run, and is the one entry', async (t) => {
  const programs = listFiles().filter((path) => path.startsWith('bin/') && path !== 'bin/install.mjs');
  t.ok(programs.length > 5, 'the programs were found');
  for (const path of programs) {
    const stat = lstatSync(join(ROOT, path));
    if (stat.isSymbolicLink())
      t.equal(readlinkSync(join(ROOT, path)), 'ghostpipe.mjs', `${path} is a link to the entry`);
    else t.equal(stat.mode & 0o111, 0o111, `${path} is executable`);
  }
});

t.test('the suites have a budget of at most 50 minutes together', async (t) => {
  const { SUITES } = await import('../runner/suites.mjs');
  const budget = JSON.parse(readFileSync(join(ROOT, 'test', 'budget.json'), 'utf8')) as Record<string, number>;
  t.same(Object.keys(budget).sort(), SUITES.map(({ name }) => name).sort());
  const minutes = Object.values(budget).reduce((sum, each) => sum + each, 0);
  t.ok(minutes <= 50, `${minutes} minutes`);
});

t.test('what breaks a rule is found', async (t) => {
  const long = 'x\n'.repeat(MAX_LINES + 1);
  t.equal(tooLong({ 'relay/a.ts': long }).length, 1);
  t.same(tooLong({ 'relay/a.ts': 'x\n'.repeat(MAX_LINES), 'docs/a.md': long, 'test/vectors/a.json': long }), []);

  t.same(namedLikeTests(['relay/self-test.ts', 'relay/a.test.ts', 'relay/tests.ts', 'test/unit/a.test.ts']), [
    'relay/self-test.ts',
    'relay/a.test.ts',
  ]);

  const places = placesOf('/data7/pipe/main', '/home/somebody');
  const traces = [
    ['', 'tmp', 'a.txt'],
    ['', 'root', '.ssh'],
    ['', 'home', 'anna', 'x'],
    ['', 'Users', 'anna', 'x'],
  ];
  for (const trace of [...traces, ['', 'data7', 'shared'], ['', 'data7', 'pipe', 'main']]) {
    t.ok(tracesOfMachine({ 'relay/a.ts': `see ${trace.join('/')}` }, places).length > 0, trace.join('/'));
  }
  t.equal(tracesOfMachine({ 'a.md': ['registry', 'example', 'com'].join('.') }, places).length, 1);
  t.same(tracesOfMachine({ 'a.ts': "'/v2/did/register', '/proc/self/mem', registry.register(metric)" }, places), []);
});
