/** A real Prometheus scrapes a real relay as monitoring/prometheus.yml says, trusting the relay's own certificate. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { until } from '../fixtures/clients.ts';
import { feed, linesOf } from '../fixtures/flow.ts';
import { makeOperator, type Operator, stop } from '../fixtures/operator.ts';
import { ask } from '../fixtures/relay.ts';

t.setTimeout(90_000);

const MONITORING = join(import.meta.dirname, '..', '..', 'monitoring');
const LOOKS = 300;
const LOOK_MS = 100;

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [time: number, value: string];
}

/** A Prometheus on a free port of loopback, with the sample configuration for this operator's relay. */
async function startPrometheus(t: Test, operator: Operator) {
  const folder = operator.path('prometheus');
  mkdirSync(folder);
  const certificate = await operator.attempt(`relay --config ${operator.path('site/relay/relay.yaml')} --certificate`);
  writeFileSync(join(folder, 'relay.pem'), certificate.out);
  copyFileSync(join(MONITORING, 'ghostpipe.rules.yml'), join(folder, 'ghostpipe.rules.yml'));
  const sample = readFileSync(join(MONITORING, 'prometheus.yml'), 'utf8');
  const changed = sample.replace('127.0.0.1:3003', `${operator.address}:3003`).replaceAll(': 15s', ': 1s');
  t.equal(changed.match(/: 1s$/gm)?.length, 2, 'it asks each second');
  writeFileSync(join(folder, 'prometheus.yml'), changed);

  const port = await freePort();
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  prometheus.stderr.on('data', (chunk) => {
    log += chunk;
  });
  t.teardown(async () => {
    if (prometheus.exitCode === null && prometheus.kill('SIGTERM')) await once(prometheus, 'exit');
  });
  return {
    log: () => log,
    /** The samples of a query, once there are some that `fits`. */
    async query(text: string, fits: (samples: readonly Sample[]) => boolean): Promise<readonly Sample[]> {
      for (let looks = 0; looks < LOOKS; looks++, await sleep(LOOK_MS)) {
        const address = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(text)}`;
        const answer = await fetch(address).then(
          (response) => response.json() as Promise<{ data?: { result: readonly Sample[] } }>,
          () => ({ data: undefined }),
        );
        if (answer.data && fits(answer.data.result)) return answer.data.result;
      }
      throw new Error(`waited in vain for ${text}\n${log}`);
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** What promtool says of an exposition. It reads the older text format, where a counter's family has its whole name. */
function promtoolCheck(exposition: string): string {
  const input = exposition.replace(/^# HELP (\S+) .*\n# TYPE \1 counter$/gm, (family) =>
    family.replace(/^(# \w+ \S+)/gm, '$1_total'),
  );
  const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input, encoding: 'utf8' });
  return `${stdout}${stderr}exit code ${status}`;
}

t.test('the target is up, its numbers arrive, and its end is seen', async (t) => {
  const operator = makeOperator(t);
  const relay = await operator.relay();
  const prometheus = await startPrometheus(t, operator);
  const one = (value: string) => (samples: readonly Sample[]) => samples[0]?.value[1] === value;
  await prometheus.query('up{job="ghostpipe"}', one('1'));
  await prometheus.query('ghostpipe_ready', one('1'));

  const receiver = await operator.receiver('historian', 'historian');
  const sender = operator.sender('plc', 'plc');
  feed(sender, ['21.5']);
  await until('the reading', () => linesOf(receiver.stdout()).length === 1, sender.stderr);
  const accepted = 'ghostpipe_transfer_events_total{event="accepted"}';
  await prometheus.query(accepted, (samples) => Number(samples[0]?.value[1]) > 0);
  const ages = await prometheus.query('ghostpipe_device_block_age_seconds', (samples) => samples.length === 1);
  t.match(ages[0], { metric: { device: 'plc', zone: 'ot', job: 'ghostpipe' } });

  await stop(sender);
  await stop(receiver);
  await stop(relay);
  await prometheus.query('up{job="ghostpipe"}', one('0'));
});

t.test('what stands at /metrics passes promtool, and names devices in the management zone only', async (t) => {
  const operator = makeOperator(t);
  await operator.relay();
  await stop(await operator.receiver('historian', 'historian'));
  const noTls = connect(3003, operator.address);
  noTls.end('GET / HTTP/1.1\r\n\r\n').resume();
  await once(noTls, 'close');
  const { relayPins: pins } = JSON.parse(readFileSync(operator.path('site', 'site.json'), 'utf8'));
  const exposition = (await ask({ host: operator.address, port: 3002, pins }, { path: '/metrics' })).body.toString();
  t.equal(promtoolCheck(exposition), 'exit code 0');
  t.match(exposition, /^ghostpipe_device_registered\{device="historian",zone="it"\} 1$/m);
  t.match(exposition, /^ghostpipe_handshake_failures_total\{zone="management"\} 1$/m);
  t.match(exposition, /^ghostpipe_handshake_failures_total\{zone="it"\} 0$/m);
  t.match(exposition, /^ghostpipe_connections\{zone="management"\} 1$/m, 'this one');
  t.not(promtoolCheck('# TYPE x counter\nx 1\n'), 'exit code 0', 'promtool finds fault');
});
