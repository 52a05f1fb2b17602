/**
 * The entry scripts as a user meets them: they install what is missing, hand over, and end as the tool ends.
 *
 * A small project stands for the real one: its dispatcher prints what it was given, and its npm is a script.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t, { type Test } from 'tap';

const ROOT = join(import.meta.dirname, '..', '..');

const DISPATCHER = `
const [tool, word] = process.argv.slice(2);
console.log(JSON.stringify({ argv: process.argv.slice(2), node: process.version }));
if (word === 'exit') process.exit(7);
if (word === 'die') process.kill(process.pid, 'SIGKILL');
if (word === 'wait') {
  setInterval(() => {}, 1000);
  process.on('SIGINT', () => process.exit(40));
  process.on('SIGTERM', () => process.exit(41));
  console.log('waiting');
}
`;

interface Ending {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project with the real entry scripts. Its npm links the installed packages, or does what `npm` says. */
function makeProject(t: Test, npm = `ln -s ${join(ROOT, 'node_modules')} node_modules`): string {
  const folder = t.testdir({
    tools: { ghostpipe: { 'main.ts': DISPATCHER } },
    npm: { npm: `#!/bin/sh\necho "$@" >> npm-calls\n${npm}\n` },
    'package.json': '{"type":"module"}',
  });
  cpSync(join(ROOT, 'bin'), join(folder, 'bin'), { recursive: true, verbatimSymlinks: true });
  cpSync(join(ROOT, 'package-lock.json'), join(folder, 'package-lock.json'));
  chmodSync(join(folder, 'npm', 'npm'), 0o755);
  return folder;
}

function start(project: string, name: string, words: readonly string[]) {
  const env = { ...process.env, PATH: `${join(project, 'npm')}${delimiter}${process.env.PATH}` };
  return spawn(join(project, 'bin', name), words, { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function run(project: string, name: string, words: readonly string[] = []): Promise<Ending> {
  const child = start(project, name, words);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, stdout, stderr };
}

t.test('the first start installs and says so on stderr; the second does not call npm', async (t) => {
  const project = makeProject(t);
  const first = await run(project, 'ghostpipe', ['relay', '--help']);
  t.match(first, { code: 0, stderr: /^ghostpipe: installing .* because node_modules is missing or incomplete\n$/ });
  t.match(JSON.parse(first.stdout), { argv: ['relay', '--help'], node: 'v24.21.0' });
  const second = await run(project, 'ghostpipe', ['relay']);
  t.match(second, { code: 0, stderr: '' });
  t.match(readFileSync(join(project, 'npm-calls'), 'utf8'), /^ci --ignore-scripts [^\n]*\n$/, 'npm was called once');
});

t.test('a link names the tool', async (t) => {
  const project = makeProject(t);
  for (const name of [
    'paramant-sender',
    'paramant-receiver',
    'ghostpipe-relay',
    'ghostpipe-provision',
    'ghostpipe-evidence',
    'ghostpipe-audit',
  ]) {
    t.same(JSON.parse((await run(project, name, ['a', 'b c'])).stdout).argv, [name, 'a', 'b c']);
  }
});

t.test('the tool decides the exit code', async (t) => {
  const project = makeProject(t);
  t.match(await run(project, 'ghostpipe', ['relay', 'exit']), { code: 7 });
  t.match(await run(project, 'ghostpipe', ['relay', 'die']), { code: 128 + 9 });
  for (const [signal, code] of [
    ['SIGINT', 40],
    ['SIGTERM', 41],
    ['SIGHUP', 128 + 1],
  ] as const) {
    const child = start(project, 'ghostpipe', ['relay', 'wait']);
    let output = '';
    for await (const chunk of child.stdout) {
      output += chunk;
      if (output.includes('waiting')) break;
    }
    child.kill(signal);
    t.same(await once(child, 'exit'), [code, null], signal);
  }
});

t.test('where nothing can be installed, one sentence says why', async (t) => {
  const failing = makeProject(t, 'exit 1');
  t.match(await run(failing, 'ghostpipe'), { code: 3, stdout: '', stderr: /npm ci failed/ });
});

t.test('packages of another lock file are replaced', async (t) => {
  const project = makeProject(t, 'true');
  symlinkSync(join(ROOT, 'node_modules'), join(project, 'node_modules'));
  const lock = join(project, 'package-lock.json');
  writeFileSync(lock, readFileSync(lock, 'utf8').replaceAll('"version": "24.21.0"', '"version": "24.99.0"'));
  const ending = await run(project, 'ghostpipe');
  t.match(ending, { code: 3, stderr: /because node_modules\/node-linux-[a-z0-9]+ is 24\.21\.0, not the 24\.99\.0/ });
});

t.test('help and version of the real thing are on stdout', async (t) => {
  for (const word of ['--help', '-h']) {
    const help = await run(ROOT, 'ghostpipe', [word]);
    t.match(help, { code: 0, stderr: '', stdout: /usage: ghostpipe TOOL.*\n {2}relay .*\(also: ghostpipe-relay\)\n/s });
  }
  const version = await run(ROOT, 'ghostpipe', ['--version']);
  t.match(version, { code: 0, stdout: /^ghostpipe \d+\.\d+\.\d+, Node 24\.21\.0 \(needs >=24\.21\.0\)\n$/ });
  t.match(await run(ROOT, 'ghostpipe', ['nothing']), { code: 2, stdout: '', stderr: /"nothing" is not a tool/ });
});
