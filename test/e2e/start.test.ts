/** npm start, and what its reader does next: the printed commands, pasted into a shell. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { Commands } from '../../tools/ghostpipe/start.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LOAD = /^\d+\.\d+ \d+\.\d+ \d+\.\d+$/;

interface Ready {
  readonly ready: true;
  readonly folder: string;
  readonly relayPid: number;
  readonly health: { readonly status: string; readonly rosterVersion: number };
  readonly commands: Commands;
}

type Shell = ChildProcessByStdio<null, Readable, Readable>;

/** Runs `line` as a shell in the project folder does, in a process group that ends with the test. */
function paste(t: Test, line: string): Shell {
  const shell = spawn('sh', ['-c', line], { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  t.teardown(() => endGroup(shell, 'SIGKILL'));
  return shell;
}

function endGroup(shell: Shell, signal: NodeJS.Signals): void {
  try {
    process.kill(-shell.pid!, signal);
  } catch {
    // it has ended
  }
}

/** The first line of a shell's output that `wanted` takes; the test fails with what it said when there is none. */
async function lineOf(t: Test, shell: Shell, wanted: (line: string) => boolean): Promise<string> {
  const heard: string[] = [];
  createInterface({ input: shell.stderr }).on('line', (line) => heard.push(line));
  for await (const line of createInterface({ input: shell.stdout })) {
    if (wanted(line)) return line;
    heard.push(line);
  }
  t.fail('the command ended without the line', { heard });
  return '';
}

async function start(t: Test): Promise<{ shell: Shell; ready: Ready }> {
  const shell = paste(t, 'exec ./bin/ghostpipe start --interval 0.5 --json');
  const ready = JSON.parse(await lineOf(t, shell, (line) => line.startsWith('{"ready":true'))) as Ready;
  return { shell, ready };
}

t.setTimeout(120_000);

t.test('the printed commands carry a reading, and Ctrl-C leaves nothing', async (t) => {
  const { shell, ready } = await start(t);
  t.match(ready.health, { status: 'ready', rosterVersion: 4 });
  t.equal(statSync(ready.folder).mode & 0o777, 0o700);

  const check = paste(t, ready.commands.check);
  t.equal(await lineOf(t, check, () => true), 'it works');
  if (check.exitCode === null) await once(check, 'exit');
  t.equal(check.exitCode, 0);

  const receiver = paste(t, ready.commands.receiver);
  const sender = paste(t, ready.commands.sender);
  t.match(await lineOf(t, receiver, (line) => LOAD.test(line)), LOAD);
  endGroup(sender, 'SIGKILL');
  endGroup(receiver, 'SIGKILL');

  endGroup(shell, 'SIGINT');
  const [code] = await once(shell, 'exit');
  t.equal(code, 0);
  t.notOk(existsSync(ready.folder), 'the folder is removed');
  t.throws(() => process.kill(ready.relayPid, 0), { code: 'ESRCH' }, 'the relay has ended');
});

t.test('a relay that ends by itself ends npm start with a failure', async (t) => {
  const { shell, ready } = await start(t);
  process.kill(ready.relayPid, 'SIGTERM');
  const [code] = await once(shell, 'exit');
  t.equal(code, 1);
  t.notOk(existsSync(ready.folder));
});

t.test('without --json the page to read has all three commands', async (t) => {
  const shell = paste(t, 'exec ./bin/ghostpipe start --interval 0.5');
  const page: string[] = [];
  await lineOf(t, shell, (line) => {
    page.push(line);
    return line.startsWith('Ctrl-C');
  });
  t.match(page.join('\n'), /paramant-receiver --device-id historian\n[\s\S]*paramant-sender[\s\S]*prints: it works/);
  endGroup(shell, 'SIGTERM');
  await once(shell, 'exit');
});
