/** The demo as a whole: nothing lost, nothing readable in the relay, and a search that finds what is there. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import { type DemoResult, runDemo } from '../../tools/ghostpipe/demo-run.ts';
import type { Scene } from '../../tools/ghostpipe/demo-view.ts';
import { searchMemory } from '../../tools/lib/memory-search.ts';

import { changeFile, filesBelow } from '../fixtures/audit-export.ts';
import { buildChecker } from '../fixtures/checker.ts';

const MAIN = fileURLToPath(new URL('../../tools/ghostpipe/main.ts', import.meta.url));
const LEAKY_RELAY = fileURLToPath(new URL('../fixtures/leaky-relay.ts', import.meta.url));

/** Long enough for a head within the run, and short enough that the last one comes soon after it. */
const SECONDS = 25;

function runCommand(temporary: string, folder: string): Promise<{ code: number; out: string; err: string }> {
  const env = { ...process.env, TMPDIR: temporary };
  return new Promise((resolve) => {
    const words = ['demo', '--seconds', String(SECONDS), '--export', folder, '--json'];
    execFile(process.execPath, [MAIN, ...words], { env }, (error, out, err) =>
      resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

t.setTimeout(180_000);

t.test('demo --seconds --export --json: all readings arrive, all blocks burn, the relay saw nothing', async (t) => {
  const work = t.testdir({ temporary: {}, go: {} });
  const [temporary, folder] = [join(work, 'temporary'), join(work, 'export')];
  const { code, out, err } = await runCommand(temporary, folder);
  t.equal(code, 0, err);
  const result = JSON.parse(out.trim().split('\n').at(-1)!) as DemoResult;
  t.strictSame(Object.keys(result).sort(), [
    'blocks',
    'burned',
    'control',
    'covers',
    'exported',
    'lost',
    'plaintextSeenByRelay',
    'readingsIn',
    'readingsOut',
    'seconds',
  ]);
  t.ok(result.readingsIn >= 10);
  t.equal(result.readingsOut, result.readingsIn);
  t.equal(result.lost, 0);
  t.equal(result.seconds, SECONDS);
  t.ok(result.blocks >= 5);
  t.equal(result.burned, result.blocks);
  t.ok(result.covers > 0);
  const mayTrace = (await searchMemory(process.pid, [])) !== null;
  t.equal(result.plaintextSeenByRelay, mayTrace ? 0 : null);
  t.equal(result.control, mayTrace ? true : null);
  t.strictSame(readdirSync(temporary), [], 'the site is gone');

  const { logPin, records, heads } = result.exported!;
  const report = checkExport({ engine: nativeEngine, folder, logPin });
  t.match(report, { ok: true, failures: [], notices: [], epochs: [{ records, heads, leaves: records }] });
  t.ok(heads >= 2, `${heads} heads`);
  t.ok(records >= 3 * result.blocks, 'each block was accepted, released and delivered');
  const keys = readFileSync(join(folder, 'vkeys.txt'), 'utf8').trim().split('\n');
  t.equal(keys.length, 3);
  const check = buildChecker(join(work, 'go'));
  t.match(await check(folder, keys[2]!), { code: 0, out: `${records} leaves hold\n` }, 'a checker that is not ours');
  const [bundle] = filesBelow(join(folder, 'tile', 'entries'));
  changeFile(join(folder, 'tile', 'entries', bundle!), (bytes) => bytes.fill(0x41, 300, 301));
  t.match(await check(folder, keys[2]!), { code: 1, err: /record 0 is another/ });
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
