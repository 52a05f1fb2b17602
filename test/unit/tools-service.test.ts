/** What a daemon tells its service manager, where its figures may be served, and what a reload refuses. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Problem } from '../../protocol/problem.ts';
import { loopbackAddress, serveMetrics } from '../../tools/lib/client-metrics.ts';
import { Notices } from '../../tools/lib/notices.ts';
import { ServiceManager } from '../../tools/lib/service-manager.ts';

/** A folder with a `systemd-notify` that writes its words to `said`, one message a line. */
function fakeNotify(folder: string): void {
  const script = `#!/bin/sh\nIFS='|'; echo "$*" >> '${join(folder, 'said')}'\n`;
  writeFileSync(join(folder, 'systemd-notify'), script, { mode: 0o755 });
}

t.test('without a service manager nothing is run; without its tool that is said', async (t) => {
  const problems: Problem[] = [];
  const options = { now: () => 0, onProblem: (problem: Problem) => void problems.push(problem) };
  const none = new ServiceManager({ ...options, env: { WATCHDOG_USEC: '1000', PATH: '/nowhere' } });
  none.ready('x');
  none.alive();
  await none.close();
  t.equal(none.watchdogMs, undefined);
  t.strictSame(problems, []);
  const toolless = new ServiceManager({ ...options, env: { NOTIFY_SOCKET: '/nowhere', PATH: '/nowhere' } });
  toolless.ready('x');
  await toolless.close();
  t.match(problems, [{ code: 'tool-missing', detail: /systemd-notify cannot be run \(.*ENOENT/ }]);
});

t.test('messages follow each other, one assignment a line, each state once, four signs of life a period', async (t) => {
  const folder = t.testdir({ said: '' });
  fakeNotify(folder);
  let now = 0;
  const manager = new ServiceManager({
    env: { NOTIFY_SOCKET: '/x', WATCHDOG_USEC: '4000000', PATH: `${folder}:${process.env.PATH}` },
    now: () => now,
    onProblem: (problem) => t.fail(problem.detail),
  });
  t.equal(manager.watchdogMs, 4000);
  manager.ready('begins');
  await manager.close();
  for (const [ms, text] of [
    [0, 'begins'],
    [500, 'goes on'],
    [999, 'goes on'],
    [1000, 'two\nlines'],
    [2500, 'two\nlines'],
  ] as const) {
    now = ms;
    manager.status(text);
    await manager.close();
    manager.alive();
    await manager.close();
  }
  manager.reloading();
  manager.stopping();
  await manager.close();
  t.match(readFileSync(join(folder, 'said'), 'utf8').trimEnd().split('\n'), [
    'READY=1|STATUS=begins',
    'WATCHDOG=1',
    'STATUS=goes on',
    'STATUS=two lines',
    'WATCHDOG=1',
    'WATCHDOG=1',
    /^RELOADING=1\|MONOTONIC_USEC=\d+$/,
    'STOPPING=1|STATUS=finishes what is under way',
  ]);
});

t.test('figures are served on loopback only', async (t) => {
  t.strictSame(loopbackAddress('9464'), { host: '127.0.0.1', port: 9464 });
  t.strictSame(loopbackAddress('127.9.9.9:1'), { host: '127.9.9.9', port: 1 });
  t.strictSame(loopbackAddress('[::1]:0'), { host: '::1', port: 0 });
  for (const text of ['', 'x', '1.2.3.4:5', '0.0.0.0:1', '127.0.0.999:1', '[::]:1', '127.0.0.1:', '70000', '127.1:1']) {
    t.throws(() => loopbackAddress(text), { code: 'usage' }, text);
  }
  let blocks = 3;
  const endpoint = await serveMetrics('sender', '[::1]:0', {
    blocks_total: { kind: 'counter', help: 'Blocks sent.', read: () => blocks },
    backlog: { kind: 'gauge', help: 'Records held.', read: () => 7 },
  });
  t.teardown(() => endpoint.close());
  t.match(endpoint.url, /^http:\/\/\[::1\]:\d+\/metrics$/);
  const text = async (): Promise<string> => (await fetch(endpoint.url)).text();
  const expected = (count: number): string =>
    [
      '# HELP ghostpipe_sender_blocks Blocks sent.',
      '# TYPE ghostpipe_sender_blocks counter',
      `ghostpipe_sender_blocks_total ${count}`,
      '# HELP ghostpipe_sender_backlog Records held.',
      '# TYPE ghostpipe_sender_backlog gauge',
      'ghostpipe_sender_backlog 7',
      '# EOF',
      '',
    ].join('\n');
  t.equal(await text(), expected(3));
  blocks = 5;
  t.equal(await text(), expected(5));
});

t.test('a figure that cannot be read is an answer, not the end of the client', async (t) => {
  const endpoint = await serveMetrics('sender', '0', {
    backlog: {
      kind: 'gauge',
      help: 'Records held.',
      read: () => {
        throw new Error('the disk');
      },
    },
  });
  t.teardown(() => endpoint.close());
  t.equal((await fetch(endpoint.url)).status, 500);
});

t.test('a kind of notice is said once a minute', async (t) => {
  let now = 0;
  const said: string[] = [];
  const notices = new Notices('test', () => now);
  notices.say = (sentence) => void said.push(sentence);
  t.strictSame(
    [notices.report('a', 'one'), notices.report('a', 'two'), notices.report('b', 'three')],
    [true, false, true],
  );
  now = 60_000;
  t.equal(notices.report('a', 'four'), true);
  t.strictSame(said, ['one', 'three', 'four']);
});
