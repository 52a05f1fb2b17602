/** The relay as a program: what it prints, how it starts, how it ends. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { stringify } from 'yaml';
import { toBase64Url } from '../../protocol/text.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { ask } from '../fixtures/relay.ts';
import { seedOf } from '../fixtures/site.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'relay', 'main.ts');

interface Ready {
  readonly name: string;
  readonly pin: string;
  readonly logPin: string;
  readonly listeners: readonly { zone: string; address: string; port: number; tls: string }[];
}

function start(args: readonly string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH ?? '', ...environment };
  return spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Runs to the end. */
async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const child = start(args, environment);
  const [out, err] = [child.stdout, child.stderr].map((stream) => stream.setEncoding('utf8').toArray());
  const [code] = await once(child, 'exit');
  return { code, out: (await out!).join(''), err: (await err!).join('') };
}

/** Starts a relay and waits for its ready line; `stop` asks it to end and gives its exit code. */
async function listening(t: Test, args: readonly string[], environment: Record<string, string> = {}) {
  const child = start([...args, '--json'], environment);
  t.teardown(() => child.kill('SIGKILL'));
  child.stderr.resume();
  const [line] = await once(createInterface(child.stdout), 'line');
  const ready = JSON.parse(line) as Ready;
  const stop = async (signal: NodeJS.Signals): Promise<number> => {
    child.kill(signal);
    return (await once(child, 'exit'))[0];
  };
  return { ready, stop };
}

/** A configuration file with a seed, a site and three listeners beside it. */
function writeConfig(directory: string, changes: object = {}): string {
  const { siteId, operatorKeyHash } = smallPlant(directory);
  const listen = { address: '127.0.0.1', port: 0 };
  const config = {
    name: 'relay-7',
    seedFile: 'relay.seed',
    site: { siteId, operatorKeyHash, rosterFile: 'plant-1.roster.json' },
    store: { slots: 2 },
    listeners: [
      { zone: 'ot', ...listen, tls: 'pq', calls: ['inbound', 'register'] },
      { zone: 'management', ...listen, tls: 'classic', calls: ['health'] },
      { zone: 'management', ...listen, tls: 'off', calls: ['health', 'metrics', 'openapi'] },
    ],
    ...changes,
  };
  writeFileSync(join(directory, 'relay.seed'), `${toBase64Url(seedOf('relay'))}\n`, { mode: 0o600 });
  const file = join(directory, 'relay.yaml');
  writeFileSync(file, stringify(config));
  return file;
}

async function get(port: number, path: string): Promise<{ status: number; type: string; body: string }> {
  const [answer] = (await once(http.get({ port, path, agent: false }), 'response')) as [http.IncomingMessage];
  const body = (await answer.setEncoding('utf8').toArray()).join('');
  return { status: answer.statusCode!, type: answer.headers['content-type']!, body };
}

t.test('the same seed is the same relay; SIGTERM and SIGINT end it', async (t) => {
  const file = writeConfig(t.testdir());
  const first = await listening(t, ['--config', file]);
  t.match(first.ready, { event: 'ready', name: 'relay-7', pin: /^sha256\//, logPin: /^sha256\// });
  const { port } = first.ready.listeners[0]!;
  const socket = await connectPinned({ host: '127.0.0.1', port, pins: [first.ready.pin] });
  t.equal(socket.getProtocol(), 'TLSv1.3');
  socket.destroy();
  t.equal(await first.stop('SIGTERM'), 0);
  const second = await listening(t, [], { GHOSTPIPE_CONFIG: file });
  t.equal(second.ready.pin, first.ready.pin);
  t.equal(second.ready.logPin, first.ready.logPin);
  t.equal(await second.stop('SIGINT'), 0);
});

t.test('classic and plain listeners serve monitoring; a peer without the group is turned away at pq', async (t) => {
  const { ready, stop } = await listening(t, ['--config', writeConfig(t.testdir())]);
  const [pq, classic, plain] = ready.listeners.map(({ port }) => port);
  const old = tls.connect({ port: pq!, ecdhCurve: 'X25519' });
  t.match(await once(old, 'error'), [/handshake failure|alert/i]);
  const usual = tls.connect({ port: classic!, ecdhCurve: 'X25519' });
  const [refusal] = await once(usual, 'error');
  t.equal(refusal.code, 'DEPTH_ZERO_SELF_SIGNED_CERT', 'the handshake succeeds, the certificate is to be pinned');
  t.match(await get(plain!, '/health'), { status: 200, body: /"status":"ready"/ });
  t.match(await get(plain!, '/metrics'), {
    status: 200,
    type: /^application\/openmetrics-text; version=1.0.0/,
    body: /ghostpipe_slots\{state="free"\} 2[\s\S]*# EOF/,
  });
  t.match(JSON.parse((await get(plain!, '/openapi.json')).body), { openapi: '3.1.0' });
  t.equal((await get(plain!, '/v2/roster')).status, 404);
  t.equal(await stop('SIGTERM'), 0);
});

t.test('the environment alone starts a relay that says what it lacks', async (t) => {
  const { ready, stop } = await listening(t, [], { RELAY_MODE: 'iot', LICENSE_KEY: 'plk_secret', PORT: '0' });
  t.match(ready.listeners, [{ zone: 'ot', address: '0.0.0.0', tls: 'pq' }]);
  const peer = { host: '127.0.0.1', port: ready.listeners[0]!.port, pins: [ready.pin] };
  const health = await ask(peer, { path: '/health' });
  t.equal(health.status, 503);
  t.match(JSON.parse(health.body.toString()), { status: 'not-ready', reasons: [/no site is configured/] });
  t.equal((await ask(peer, { path: '/v2/roster' })).status, 404, 'there is no site to serve');
  t.equal(await stop('SIGTERM'), 0);
});

t.test('--help, --version, --check', async (t) => {
  const help = await run(['--help']);
  t.equal(help.code, 0);
  t.match(help.out, /Examples:[\s\S]*RELAY_MODE/);
  t.match(await run(['--version']), { code: 0, out: /^ghostpipe-relay \(ghostpipe\) \d+\.\d+\.\d+, Node / });
  const file = writeConfig(t.testdir());
  const check = await run(['--config', file, '--check'], { LICENSE_KEY: 'plk_secret' });
  t.equal(check.code, 0);
  t.match(JSON.parse(check.out), { name: 'relay-7', licenceKey: '(given)', limits: { leaseSeconds: 60 } });
  t.notMatch(check.out, 'plk_secret');
});

t.test('what stops it from starting: a code, the place, how to mend it, exit code 3', async (t) => {
  const directory = t.testdir();
  const file = writeConfig(directory);
  const seed = join(directory, 'relay.seed');
  const fails = async (args: readonly string[], message: RegExp, code = 3) => {
    const result = await run(args);
    t.match(result, { code, out: '', err: message });
    t.equal(result.err.trimEnd().split('\n').length, 2, 'the fact, and how to mend it');
  };
  await fails(['--nonsense'], /Unknown option '--nonsense'.*\[usage\]/, 2);
  await fails(['--config', join(directory, 'none.yaml')], /none\.yaml cannot be read \(ENOENT\) \[config-missing\]/);
  chmodSync(seed, 0o644);
  await fails(['--config', file], /relay\.seed has mode 644, expected 600 \[permissions-open\]/);
  chmodSync(seed, 0o600);
  writeFileSync(seed, 'nonsense');
  await fails(['--config', file], /relay\.seed is not 32 bytes in base64url \[file-invalid\]/);
  writeConfig(directory, { slots: 3 });
  await fails(['--config', file], /relay\.yaml:\d+: unknown key "slots" \[config-invalid\]/);
  writeConfig(directory, { listeners: [{ zone: 'ot', address: '192.0.2.1', port: 0, tls: 'pq', calls: ['health'] }] });
  await fails(['--config', file], /192\.0\.2\.1 port 0 cannot be bound \(EADDRNOTAVAIL\) \[config-invalid\]/);
});
