/** The demo as a whole: nothing lost, nothing readable in the relay, and a search that finds what is there. */
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type DemoResult, runDemo } from '../../tools/ghostpipe/demo-run.ts';
import type { Scene } from '../../tools/ghostpipe/demo-view.ts';
import { searchMemory } from '../../tools/lib/memory-search.ts';

const MAIN = fileURLToPath(new URL('../../tools/ghostpipe/main.ts', import.meta.url));
const LEAKY_RELAY = fileURLToPath(new URL('../fixtures/leaky-relay.ts', import.meta.url));

function runCommand(temporary: string): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, TMPDIR: temporary };
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, 'demo', '--seconds', '10', '--json'], { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

t.setTimeout(180_000);

t.test('demo --seconds 10 --json: all readings arrive, all blocks burn, the relay saw nothing', async (t) => {
  const temporary = t.testdir();
  const { code, out, err } = await runCommand(temporary);
  t.equal(code, 0, err);
  const result = JSON.parse(out.trim().split('\n').at(-1)!) as DemoResult;
  t.strictSame(Object.keys(result).sort(), [
    'blocks',
    'burned',
    'control',
    'covers',
    'lost',
    'plaintextSeenByRelay',
    'readingsIn',
    'readingsOut',
    'seconds',
  ]);
  t.ok(result.readingsIn >= 10);
  t.equal(result.readingsOut, result.readingsIn);
  t.equal(result.lost, 0);
  t.equal(result.seconds, 10);
  t.ok(result.blocks >= 5);
  t.equal(result.burned, result.blocks);
  t.ok(result.covers > 0);
  const mayTrace = (await searchMemory(process.pid, [])) !== null;
  t.equal(result.plaintextSeenByRelay, mayTrace ? 0 : null);
  t.equal(result.control, mayTrace ? true : null);
  t.strictSame(readdirSync(temporary), [], 'the site is gone');
});

t.test('a relay that holds a canary in clear is caught', async (t) => {
  const canary = `canary-${process.pid}-of-the-sabotage`;
  t.intercept(process, 'env', { value: { ...process.env, LEAKED_TEXT: canary } });
  const result = await runDemo({
    seconds: 4,
    intervalMs: 500,
    blockSize: 65_536,
    slots: 16,
    canary,
    relayScript: LEAKY_RELAY,
    onScene: () => {},
    onNotice: () => {},
    stop: new AbortController().signal,
  });
  t.equal(result!.lost, 0, 'it delivers all the same');
  if (result!.plaintextSeenByRelay !== null) t.ok(result!.plaintextSeenByRelay > 0);
});

t.test('a demo that is stopped ends at once, leaves nothing and gives no result', async (t) => {
  const stop = new AbortController();
  const scenes: Scene[] = [];
  const temporary = t.testdir();
  t.intercept(process, 'env', { value: { ...process.env, TMPDIR: temporary } });
  const result = await runDemo({
    seconds: 600,
    intervalMs: 500,
    blockSize: 65_536,
    slots: 4,
    canary: 'canary-of-a-stopped-demo',
    onScene: (scene) => {
      scenes.push(scene);
      if (scene.readingsIn > 0) stop.abort();
    },
    onNotice: () => {},
    stop: stop.signal,
  });
  t.equal(result, null);
  t.ok(scenes.length > 0);
  t.strictSame(readdirSync(temporary), []);
});
