/** Whose connections go when there are too many, at a relay with few. */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import type { Problem } from '../../protocol/problem.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type RunningRelay, runRelay } from '../fixtures/relay.ts';
import type { SiteDevice } from '../fixtures/site.ts';

/** Four for strangers. */
const LIMITS = { connections: 16, connectionsPerPeer: 3 };

/** A connection that shakes hands and says nothing. */
async function idle(t: Test, { peer }: RunningRelay): Promise<TLSSocket> {
  const socket = await connectPinned(peer('ot'));
  t.teardown(() => socket.destroy());
  return socket.on('error', () => {}).resume();
}

/** A connection on which a device has made itself known. */
async function known(t: Test, running: RunningRelay, { apiKey }: SiteDevice): Promise<TLSSocket> {
  const socket = await idle(t, running);
  await roster(socket, apiKey);
  return socket;
}

async function roster(socket: TLSSocket, apiKey: string): Promise<void> {
  socket.write(`GET /v2/roster HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${apiKey}\r\n\r\n`);
  await once(socket, 'data');
}

/** A connection from another address of this host that says nothing at all. */
async function silent(t: Test, { peer }: RunningRelay, localAddress: string): Promise<net.Socket> {
  const { host, port } = peer('ot');
  const socket = net.connect({ host, port, localAddress });
  t.teardown(() => socket.destroy());
  await once(socket, 'connect');
  return socket.on('error', () => {}).resume();
}

/** Which of `sockets` are still open, after what was under way has come through. */
async function open(sockets: readonly net.Socket[]): Promise<boolean[]> {
  await sleep(150);
  return sockets.map((socket) => !socket.closed && !socket.destroyed);
}

async function start(
  t: Test,
  limits: object = LIMITS,
): Promise<{ running: RunningRelay; plc: SiteDevice; plc2: SiteDevice }> {
  const site = smallPlant(t.testdir(), { limits });
  const running = await runRelay(t, site);
  const [plc, plc2] = [site.device('plc'), site.device('plc2')];
  for (const device of [plc, plc2]) (await running.registered(device)).close();
  await sleep(50);
  return { running, plc, plc2 };
}

t.test('a source that has its share loses its oldest connection, and a device loses none to it', async (t) => {
  const { running, plc } = await start(t);
  const mine = await known(t, running, plc);
  const strangers: TLSSocket[] = [];
  for (let i = 0; i < 6; i++) strangers.push(await idle(t, running));
  t.same(await open(strangers), [false, false, false, true, true, true]);
  await roster(mine, plc.apiKey);
  t.ok((await open([mine]))[0], 'the device, behind the same address, keeps its own');
});

t.test('one that has not said a byte goes before one that has', async (t) => {
  const { running, plc } = await start(t);
  const first = await idle(t, running);
  const quiet = await silent(t, running, '127.0.0.1');
  const others = [await idle(t, running), await idle(t, running)];
  t.same(await open([first, quiet, ...others]), [true, false, true, true]);
  await roster(first, plc.apiKey);
});

t.test(
  'strangers of many addresses have a quarter, the one with the most loses, and a device finds room',
  async (t) => {
    const { running, plc } = await start(t);
    const modest = [await silent(t, running, '127.0.0.3'), await silent(t, running, '127.0.0.4')];
    const greedy = [await silent(t, running, '127.0.0.2'), await silent(t, running, '127.0.0.2')];
    t.same(await open([...greedy, ...modest]), [true, true, true, true]);
    const mine = await known(t, running, plc);
    t.same(await open([...greedy, ...modest, mine]), [false, true, true, true, true]);
    const another = await silent(t, running, '127.0.0.5');
    t.same(await open([another, ...modest, greedy[1]!, mine]), [true, true, true, true, true]);
  },
);

t.test('a device has a share too, and a key that is good no more gives its connections back', async (t) => {
  const { running, plc, plc2 } = await start(t);
  const many: TLSSocket[] = [];
  for (let i = 0; i < 5; i++) many.push(await known(t, running, plc));
  t.same(await open(many), [false, false, true, true, true]);
  for (let i = 0; i < 3; i++) many.push(await known(t, running, plc2));
  t.same(await open(many.slice(2)), Array(6).fill(true));
  many[7]!.write('GET /v2/roster HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(many[7]!, 'data');
  const strangers: net.Socket[] = [];
  for (const place of [2, 3, 4]) strangers.push(await silent(t, running, `127.0.0.${place}`));
  t.same(await open([...many.slice(2), ...strangers]), Array(9).fill(true));
  const last = await silent(t, running, '127.0.0.5');
  t.same(await open([many[7]!, ...strangers, last]), [false, true, true, true, true], 'nobody knows it any more');
});

t.test('a listener that is full of the connections of devices takes no other', async (t) => {
  const { running, plc, plc2 } = await start(t, { connections: 4, connectionsPerPeer: 3 });
  const all: TLSSocket[] = [];
  for (const device of [plc, plc, plc, plc2]) all.push(await known(t, running, device));
  const refused = await connectPinned(running.peer('ot')).catch((problem: Problem) => problem.code);
  t.equal(refused, 'relay-unreachable');
  t.same(await open(all), [true, true, true, true]);
  all[0]!.destroy();
  await sleep(50);
  t.same(await open([await silent(t, running, '127.0.0.2')]), [true]);
});

t.test('a relay that stops waits for no stranger', async (t) => {
  const { running } = await start(t);
  const strangers = [await silent(t, running, '127.0.0.2'), await idle(t, running)];
  await running.relay.close();
  t.same(await open(strangers), [false, false]);
  const reasons = running.log.filter(({ msg }) => msg === 'no handshake').map(({ reason }) => String(reason));
  t.notMatch(reasons.join(), /timeout/i, 'not until its handshake took too long');
});

t.test('what was dropped is counted', async (t) => {
  const { running } = await start(t);
  for (let i = 0; i < 5; i++) await idle(t, running);
  for (const address of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) await silent(t, running, address);
  await sleep(100);
  const { body } = await running.ask('management', { path: '/metrics' });
  t.match(body.toString(), /ghostpipe_connections_dropped_total\{reason="share"\} 2\n/);
  t.match(body.toString(), /ghostpipe_connections_dropped_total\{reason="full"\} 2\n/);
});
