/** The process group of a suite: its time limit, its interruption, and what it leaves behind. */
import t from 'tap';
import { type Ending, runGroup } from '../runner/process-group.mjs';

const LONG_MS = 60_000;

async function run(script: string, limitMs = LONG_MS, stop?: AbortSignal): Promise<Ending & { lines: string[] }> {
  const lines: string[] = [];
  const onLine = (line: string) => lines.push(line);
  const options = { cwd: import.meta.dirname, env: process.env, limitMs, onLine, ...(stop ? { stop } : {}) };
  return { ...(await runGroup('sh', ['-c', script], options)), lines };
}

t.test('a program that ends by itself', async (t) => {
  const ending = await run('echo out; echo err >&2; exit 5');
  t.match(ending, { code: 5, how: 'done', leftBehind: [] });
  t.same(ending.lines.sort(), ['err', 'out']);
  t.match(await run('kill -9 $$'), { code: 1, how: 'done' }, 'ended by a signal');
});

t.test('one whose time is over is ended with its children', async (t) => {
  // The child holds the output open: that the run ends at all shows that it has gone too.
  t.match(await run('sleep 1000 & wait', 300), { code: 1, how: 'overtime' });
});

t.test('one that is stopped', async (t) => {
  const stop = new AbortController();
  const ending = run('sleep 1000', LONG_MS, stop.signal);
  stop.abort();
  t.match(await ending, { how: 'stopped', leftBehind: [] });
});

t.test('a child that outlives it is named and ended', async (t) => {
  const ending = await run('sleep 1000 & echo $!');
  t.match(ending, { code: 0, how: 'done' });
  t.same(ending.leftBehind, [Number(ending.lines[0])]);
});

t.test('a program that is not there', async (t) => {
  const options = { cwd: import.meta.dirname, env: {}, limitMs: LONG_MS, onLine: () => {} };
  await t.rejects(runGroup('/nowhere/program', [], options), { code: 'ENOENT' });
});
