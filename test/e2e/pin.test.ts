/** The pin is all that decides whom a client talks to: no clock, proxy, name or weaker handshake changes it. */
import { createServer, type Socket, type Server as TcpServer } from 'node:net';
import tls, { type TlsOptions } from 'node:tls';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { tlsOptions } from '../../relay/http/tls-options.ts';
import { relayIdentity } from '../../relay/identity.ts';
import { connectPinned, peerOf } from '../../tools/lib/pinned-tls.ts';
import { idleTimeoutFor, RelayClient } from '../../tools/lib/relay-client.ts';
import { addProfile, lastJson, until } from '../fixtures/clients.ts';
import { makePlant, type Plant, printedReadings } from '../fixtures/flow.ts';
import { seedOf } from '../fixtures/site.ts';

t.setTimeout(120_000);

const STRANGER = relayIdentity(engine, seedOf('another relay'), 'relay-1');
const OTHER_PIN = relayIdentity(engine, seedOf('the expected relay'), 'relay-1').tls.pin;

/** A TLS server that counts: connections that are over, and bytes that came after a handshake. */
async function countingServer(t: Test, options: TlsOptions) {
  const counted = { over: 0, bytes: 0, port: 0 };
  const server = tls.createServer(options, (socket) => {
    socket.on('data', (chunk) => {
      counted.bytes += chunk.length;
    });
    socket.on('error', () => {});
  });
  server.on('tlsClientError', () => {});
  server.on('connection', (socket) =>
    socket.on('close', () => {
      counted.over += 1;
    }),
  );
  counted.port = await listen(t, server);
  return counted;
}

async function listen(t: Test, server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as { port: number }).port;
}

function clientOf(t: Test, port: number, ...pins: string[]): RelayClient {
  const client = new RelayClient({ url: `https://127.0.0.1:${port}`, pins, apiKey: `pgp_${'A'.repeat(43)}` });
  t.teardown(() => client.close());
  return client;
}

t.test('with a wrong pin not one byte of HTTP leaves', async (t) => {
  const server = await countingServer(t, tlsOptions('pq', STRANGER));
  const client = clientOf(t, server.port, OTHER_PIN);
  await t.rejects(client.register({}), { code: 'pin-mismatch' });
  await t.rejects(client.submit(new Uint8Array(65_536)), { code: 'pin-mismatch' });
  await t.rejects(client.roster(), { code: 'pin-mismatch' });
  await until('the end of the connections', () => server.over === 3);
  t.equal(server.bytes, 0);
});

t.test('with the right pin, first or second of two, the bytes go', async (t) => {
  const server = await countingServer(t, tlsOptions('pq', STRANGER));
  for (const pins of [[STRANGER.tls.pin], [OTHER_PIN, STRANGER.tls.pin]]) {
    const socket = await connectPinned(peerOf(`https://127.0.0.1:${server.port}`, pins));
    t.equal(socket.getProtocol(), 'TLSv1.3');
    t.equal(socket.isSessionReused(), false);
    socket.end('hello').resume();
  }
  await until('the end of the connections', () => server.over === 2);
  t.equal(server.bytes, 10);
});

t.test('a peer that cannot do the post-quantum handshake is refused in it', async (t) => {
  const pq = tlsOptions('pq', STRANGER);
  const peers: Record<string, TlsOptions> = {
    'without X25519MLKEM768': { ...pq, ecdhCurve: 'X25519' },
    'with a classic certificate': tlsOptions('classic', STRANGER),
    'with TLS 1.2 only': { ...tlsOptions('classic', STRANGER), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' },
  };
  for (const [name, options] of Object.entries(peers)) {
    const server = await countingServer(t, options);
    const client = clientOf(t, server.port, STRANGER.tls.pin, STRANGER.classic.pin);
    await t.rejects(client.health(), { code: 'tls-group' }, name);
    await until('the end of the connection', () => server.over === 1);
    t.equal(server.bytes, 0, name);
  }
});

t.test('a peer that is no TLS server, or none at all', async (t) => {
  const talks = await listen(
    t,
    createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n').resume()),
  );
  await t.rejects(clientOf(t, talks, OTHER_PIN).health(), { code: 'tls-group' });
  const hangsUp = await listen(
    t,
    createServer((socket) => socket.destroy()),
  );
  await t.rejects(clientOf(t, hangsUp, OTHER_PIN).health(), { code: 'relay-unreachable' });
  await t.rejects(clientOf(t, 1, OTHER_PIN).health(), { code: 'relay-unreachable' });
});

t.test('a relay that accepts and says nothing is given up', async (t) => {
  const server = await countingServer(t, tlsOptions('pq', STRANGER));
  const client = new RelayClient({
    url: `https://127.0.0.1:${server.port}`,
    pins: [STRANGER.tls.pin],
    idleTimeoutMs: 1000,
  });
  t.teardown(() => client.close());
  await t.rejects(client.health(), { code: 'relay-unreachable', detail: 'no byte from the relay for 1 s' });
});

t.test('so is one that never answers the handshake', async (t) => {
  const sockets: Socket[] = [];
  const port = await listen(
    t,
    createServer((socket) => sockets.push(socket)),
  );
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  const client = new RelayClient({ url: `https://127.0.0.1:${port}`, pins: [OTHER_PIN], idleTimeoutMs: 50 });
  t.teardown(() => client.close());
  await t.rejects(client.health(), { code: 'relay-unreachable', detail: /no answer in 0.05 s/ });
});

t.test('so is one that answers it a byte at a time', async (t) => {
  const port = await listen(
    t,
    createServer((socket) => {
      socket.on('error', () => {}).write(Uint8Array.of(22, 3, 3, 0x40, 0)); // the head of a record of 16 KiB
      const drip = setInterval(() => socket.write(Uint8Array.of(2)), 10);
      socket.once('close', () => clearInterval(drip));
    }),
  );
  const client = new RelayClient({ url: `https://127.0.0.1:${port}`, pins: [OTHER_PIN], idleTimeoutMs: 200 });
  t.teardown(() => client.close());
  await t.rejects(client.health(), { code: 'relay-unreachable', detail: /no answer in 0.2 s/ });
});

t.test('a client waits less than its interval, but not less than 5 s nor more than 30 s', async (t) => {
  t.equal(idleTimeoutFor(15_000), 12_000);
  t.equal(idleTimeoutFor(100), 5_000);
  t.equal(idleTimeoutFor(3_600_000), 30_000);
});

/** Sends one reading through `plant` by commands that run with `options`; gives what came out. */
async function deliver(
  t: Test,
  plant: Plant,
  options: Parameters<Plant['sender']>[1],
): Promise<Record<string, unknown>> {
  const receiver = plant.receiver(['--count', '1', '--json'], options);
  const sender = plant.sender(['--stdin', '--once'], options);
  sender.child.stdin!.end('21.5\n');
  t.equal(await sender.ended, 0, sender.stderr());
  t.equal(await receiver.ended, 0, receiver.stderr());
  return { ...printedReadings(receiver)[0] };
}

t.test('the clock does not matter, in 1970 or 2100', async (t) => {
  const plant = await makePlant(t);
  const { port } = plant.relay.listeners.find(({ zone }) => zone === 'ot')!;
  addProfile(plant.config, 'wrong', plant.site, `https://127.0.0.1:${port}`, OTHER_PIN);
  for (const year of ['1970', '2100']) {
    const options = {
      through: ['faketime', '-f', `@${year}-02-01 00:00:00`],
      env: { FAKETIME_DONT_FAKE_MONOTONIC: '1', TZ: 'UTC' },
    };
    const wrong = plant.sender(['--stdin', '--json', '--relay', 'wrong'], options);
    t.equal(await wrong.ended, 1);
    t.match(lastJson(wrong.stdout()), { ok: false, code: 'pin-mismatch' }, year);
    t.match(await deliver(t, plant, options), { data: '21.5', time: new RegExp(`^${year}-02-01`) });
  }
});

t.test('a proxy in the environment is never asked', async (t) => {
  let visits = 0;
  const proxy = await listen(
    t,
    createServer((socket) => {
      visits += 1;
      socket.destroy();
    }),
  );
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];
  const variables = Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${proxy}`]));
  const env = { ...variables, NODE_USE_ENV_PROXY: '1', NO_PROXY: '', no_proxy: '' };
  const plant = await makePlant(t);
  t.match(await deliver(t, plant, { env }), { data: '21.5' });
  t.equal(visits, 0);
});
