/** A short run over every target, and the commands of the long one. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { runCampaign, writeFailures } from './campaign.ts';
import { HTTP_TARGET } from './http/fuzz-relay.ts';
import { SHARES, shareOut } from './shares.ts';
import { makeTargets } from './targets.ts';

const INPUTS = 50_000;
const LONG = join(import.meta.dirname, '..', 'long.mjs');

function run(...words: string[]) {
  return spawnSync(process.execPath, [LONG, 'fuzz', ...words], { encoding: 'utf8' });
}

t.test('the table of shares names every target', async (t) => {
  const names = makeTargets(t.testdir()).map(({ name }) => name);
  t.same([...names, HTTP_TARGET].sort(), Object.keys(SHARES).sort());
  const shares = shareOut(1_000_000, names);
  const sum = [...shares.values()].reduce((all, each) => all + each, 0);
  t.ok(Math.abs(sum - 1_000_000) < names.length, `${sum} inputs`);
});

t.test(`${INPUTS} inputs for all parsers`, async (t) => {
  const targets = Object.keys(SHARES).filter((name) => name !== HTTP_TARGET);
  const reports = await runCampaign({
    inputs: INPUTS,
    seed: 'short run',
    targets,
    onReport: () => {},
    onProgress: () => {},
    stop: new AbortController().signal,
  });
  t.equal(reports.length, targets.length);
  for (const { target, inputs, accepted, refused, corpus, failures } of reports) {
    t.same(failures, [], `${target}: ${inputs} inputs`);
    t.ok(accepted > 0 && Object.keys(refused).length > 0 && corpus > 0, `${target}: accepted, refused, found new code`);
  }
});

t.test('a process that dies, holds more than it may, or goes silent is a failure of its target', async (t) => {
  const programs = {
    'dies.mjs': `process.send({ inputs: 7 }); process.on('disconnect', () => {}); throw new Error('broken leg');`,
    'holds.mjs': `const held = []; for (;;) held.push({ held: [held.length] });`,
    'silent.mjs': `process.send({ inputs: 9 }); setInterval(() => {}, 1000);`,
  };
  const folder = t.testdir(programs);
  const found = async (program: keyof typeof programs) => {
    const options = { inputs: 100, seed: '', targets: ['idle'], onReport() {}, onProgress() {} };
    const stop = new AbortController().signal;
    const silenceMs = program === 'silent.mjs' ? 1000 : 120_000;
    const [report] = await runCampaign({ ...options, stop, silenceMs, worker: join(folder, program) });
    return report!;
  };
  const crash = (message: RegExp) => [{ kind: 'crash', message }];
  t.match(await found('dies.mjs'), {
    inputs: 7,
    failures: crash(/exit code 1 after about 7 inputs: (.|\n)*broken leg/),
  });
  t.match(await found('holds.mjs'), { failures: crash(/SIGABRT(.|\n)*heap out of memory/) });
  t.match(await found('silent.mjs'), { inputs: 9, failures: crash(/SIGKILL after about 9 inputs/) });
});

t.test('one input again, and wrong usage', async (t) => {
  const folder = t.testdir();
  const [path] = writeFailures(
    {
      ...{
        target: 'idle',
        inputs: 1,
        accepted: 0,
        refused: {},
        corpus: 0,
        covered: 0,
        slow: 0,
        slowestMs: 0,
        seconds: 0,
      },
      growth: { rssMiB: 0, heapMiB: 0 },
      failures: [{ kind: 'crash', message: '', input: '0102', times: 1 }],
    },
    folder,
  );
  t.same([...readFileSync(path!)], [1, 2]);
  t.match(run('--target', 'idle', '--repeat', path!), { status: 0, stdout: /^refused: payload-invalid: needs 4 more/ });
  const request = join(folder, 'request');
  writeFileSync(request, 'GET /health HTTP/1.1\r\nhost: x\r\n\r\n');
  t.match(run('--target', 'http', '--repeat', request), {
    status: 0,
    stdout: /ot: 404 not-available\n(.*\n)*management: 200/,
  });
  for (const wrong of [['--target', 'nonsense'], ['--inputs', '0'], ['--repeat', request], ['--nonsense']]) {
    t.match(run(...wrong), { status: 2, stderr: /usage:/ });
  }
  t.match(spawnSync(process.execPath, [LONG, 'nonsense'], { encoding: 'utf8' }), {
    status: 2,
    stderr: /parts .*\n +fuzz /,
  });
  t.match(run('--help'), { status: 0, stdout: /--inputs N/ });
  t.match(run('--inputs', '300', '--target', 'idle', '--json', '--out', folder), {
    status: 0,
    stdout: /"inputs":300,"targets":1,"seconds":\d+,"failures":0/,
  });
});
