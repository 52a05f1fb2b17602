/** `npm run bench`: the figures have their names and are measured; how large they are is not a matter for tests. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lastJson } from '../fixtures/clients.ts';

const BENCH = join(import.meta.dirname, '..', '..', 'bench', 'main.ts');

t.setTimeout(180_000);

function bench(...args: string[]) {
  return spawnSync(process.execPath, [BENCH, ...args], { encoding: 'utf8', timeout: 180_000 });
}

t.test('seal: milliseconds and ratios as one JSON object on the last line', async (t) => {
  const { status, stdout, stderr } = bench('seal', '--json');
  t.equal(status, 0, stderr);
  const figures = lastJson(stdout);
  for (const name of ['seal.ms', 'open.ms', 'bare.ms', 'seal.ratio', 'open.ratio']) {
    t.ok(Number(figures[name]) > 0, `${name}: ${figures[name]}`);
  }
  t.match(stderr, /where the time of sealing goes/);
});

t.test('relay: against nginx over the same handshake, or in words why not', async (t) => {
  const remains = (): string[] => readdirSync('/dev/shm').filter((name) => name.startsWith('ghostpipe-bench-'));
  const before = remains();
  const { status, stdout, stderr } = bench('relay', '--quick', '--json');
  const figures = lastJson(stdout);
  t.same(remains(), before, 'no folder is left in memory');
  if (status === 3) {
    t.match(stderr, /relay cannot be measured here: \S/);
    for (const name of ['cpuRatio', 'p99OverP50', 'rssOverheadMiB', 'rssGrowthMiB']) {
      t.equal(figures[`relay.${name}`], null);
    }
    return;
  }
  t.equal(status, 0, stderr);
  for (const name of ['cpuRatio', 'p99OverP50', 'rssOverheadMiB', 'rssHeldMiB', 'cpuSecondsPerGB.32', 'claimP99Ms.8']) {
    t.ok(Number(figures[`relay.${name}`]) > 0, `${name}: ${figures[`relay.${name}`]}`);
  }
  t.equal(figures['relay.refusals'], 0);
  t.equal(figures['relay.group'], 'X25519MLKEM768');
  t.equal(figures['nginx.group'], figures['relay.group']);
  t.equal(figures['nginx.cipher'], figures['relay.cipher']);
});

t.test('log: every figure is measured, and what is not is null', async (t) => {
  const remains = (): string[] => readdirSync('/dev/shm').filter((name) => name.startsWith('ghostpipe-bench-'));
  const before = remains();
  const { status, stdout, stderr } = bench('log', '--quick', '--json');
  t.equal(status, 0, stderr);
  const figures = lastJson(stdout);
  t.same(remains(), before, 'no folder is left in memory');
  for (const name of ['appendRatio', 'journalledRatio', 'recordsPerSecond', 'proofP99Ms', 'proofsPerSecond']) {
    t.ok(Number(figures[`log.${name}`]) > 0, `${name}: ${figures[`log.${name}`]}`);
  }
  t.ok(Number(figures['log.replayPeakMiB']) > 0, 'the next process was started');
  for (const name of ['mibPerMillion', 'secondsPerMillion', 'headLateMs', 'requiredHeadLateMs']) {
    t.equal(figures[`log.${name}`], null, `${name} needs a million records, or a stick`);
  }
});

t.test('an unknown part is a usage error that names the parts', async (t) => {
  const { status, stderr } = bench('nothing');
  t.equal(status, 2);
  t.match(stderr, /there is no part "nothing"\n.*parts: seal, relay, log, audit/s);
});
