/** What a hostile peer may do to a connection: it ends within bounds, holds nothing, and a good block still gets through. */
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { itemOf } from '../../protocol/control.ts';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { allWiped, openAs, type RunningRelay, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import type { Site, SiteDevice } from '../fixtures/site.ts';

const BLOCK = 65_536;

interface Scene {
  readonly running: RunningRelay;
  readonly site: Site;
  readonly plc: SiteDevice;
  readonly historian: SiteDevice;
  /** One block goes all the way, and after it every slot is free and zero. */
  isWell(t: Test): Promise<void>;
}

async function start(t: Test): Promise<Scene> {
  const site = smallPlant(t.testdir(), { limits: { bodySeconds: 2 }, store: { slots: 2 } });
  const running = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await running.registered(plc);
  const reader = await running.registered(historian);
  return {
    running,
    site,
    plc,
    historian,
    async isWell(t) {
      for (let i = 0; i < 400 && running.conduit.store.count().used > 0; i++) await sleep(5);
      t.equal(running.conduit.store.count().used, 0, 'no slot is held');
      const { transferId } = itemOf(await sender.submit(sealTo(plc, [historian])), 'accepted')!;
      const { block } = await reader.claim([sessionItem()], BLOCK);
      const { ackSecret } = openAs(site, historian, block);
      const [, status] = await reader.ack([{ type: 'ack', transferId, ackSecret }]);
      t.match(status, { type: 'status', state: 'delivered' });
      t.ok(await allWiped(running.conduit));
    },
  };
}

/** A connection, and everything that it gave once it has ended. */
async function connect(t: Test, { running }: Scene): Promise<{ socket: TLSSocket; ended: Promise<string> }> {
  const socket = await connectPinned(running.peer('ot'));
  t.teardown(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
  const ended = new Promise<string>((resolve) => socket.on('close', () => resolve(Buffer.concat(chunks).toString())));
  return { socket, ended };
}

/** Writes `text` byte by byte until the connection ends. */
async function dribble(socket: TLSSocket, text: string, everyMs: number): Promise<void> {
  for (const byte of text) {
    if (!socket.writable) return;
    socket.write(byte);
    await sleep(everyMs);
  }
}

function submitHead({ apiKey }: SiteDevice): string {
  const head = ['POST /v2/inbound HTTP/1.1', 'host: x', `authorization: Bearer ${apiKey}`];
  return `${[...head, 'content-type: application/octet-stream', `content-length: ${BLOCK}`].join('\r\n')}\r\n\r\n`;
}

t.test('a header of 1 MB', async (t) => {
  const scene = await start(t);
  const { socket, ended } = await connect(t, scene);
  socket.write(`GET /v2/roster HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(1_000_000)}\r\n\r\n`);
  const answer = await ended;
  if (answer) t.ok(answer.endsWith(NOT_AVAILABLE.toString())); // none, when the rest of the header broke it first
  await scene.isWell(t);
});

t.test('a thousand headers, and one more than there may be', async (t) => {
  const scene = await start(t);
  const { apiKey } = scene.plc;
  for (const more of [1000, 31, 30]) {
    const { socket } = await connect(t, scene);
    const lines = `host: x\r\nauthorization: Bearer ${apiKey}\r\n${'a:\r\n'.repeat(more)}`;
    socket.write(`GET /v2/roster HTTP/1.1\r\n${lines}\r\n`);
    const answer = String((await once(socket, 'data'))[0]);
    t.match(answer, more > 30 ? /^HTTP\/1\.1 404 / : /^HTTP\/1\.1 200 /, `${2 + more} headers`);
    socket.destroy();
  }
  await scene.isWell(t);
});

t.test('a header that comes byte by byte, and none at all', async (t) => {
  const scene = await start(t);
  const [slow, mute] = [await connect(t, scene), await connect(t, scene)];
  void dribble(slow.socket, `GET /v2/roster HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(1000)}`, 50);
  t.ok((await slow.ended).endsWith(NOT_AVAILABLE.toString()));
  t.ok((await mute.ended).endsWith(NOT_AVAILABLE.toString()));
  await scene.isWell(t);
});

t.test('a body that stalls, and one that comes byte by byte', async (t) => {
  const scene = await start(t);
  const [stalled, slow] = [await connect(t, scene), await connect(t, scene)];
  stalled.socket.write(submitHead(scene.plc) + 'a'.repeat(1000));
  slow.socket.write(submitHead(scene.plc));
  void dribble(slow.socket, 'a'.repeat(1000), 100);
  for (const { ended } of [stalled, slow]) t.match(await ended, /^HTTP\/1\.1 408 .*"code":"body-timeout"/s);
  await scene.isWell(t);
});

t.test('the body of a stranger that comes byte by byte', async (t) => {
  const scene = await start(t);
  const { socket, ended } = await connect(t, scene);
  socket.write(submitHead(scene.site.stranger('nobody')));
  void dribble(socket, 'a'.repeat(1000), 100);
  t.ok((await ended).endsWith(NOT_AVAILABLE.toString()));
  await scene.isWell(t);
});

t.test('garbage behind a good request', async (t) => {
  const scene = await start(t);
  const { socket, ended } = await connect(t, scene);
  const block = sealTo(scene.plc, [scene.historian], { ttlSeconds: 1 });
  socket.write(Buffer.concat([Buffer.from(submitHead(scene.plc)), block, Buffer.alloc(100_000, 0xff)]));
  await ended;
  await sleep(1100); // whether or not it was accepted, its time to live ends
  await scene.isWell(t);
});

t.test('a handshake that never goes on', async (t) => {
  const scene = await start(t);
  const { host, port } = scene.running.peer('ot');
  const half = net.connect(port, host).on('error', () => {});
  half.write(Buffer.from('1603010200010001fc0303', 'hex'));
  await new Promise((resolve) => half.resume().on('close', resolve));
  await scene.isWell(t);
});

t.test('more answers than anybody reads', async (t) => {
  const scene = await start(t);
  const socket = await connectPinned(scene.running.peer('ot'));
  socket.on('error', () => {}).pause();
  const one = `GET /v2/roster HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${scene.plc.apiKey}\r\n\r\n`;
  for (let i = 0; i < 2000 && !socket.writableNeedDrain; i++) socket.write(one.repeat(20));
  await sleep(500);
  await scene.isWell(t);
  socket.destroy();
});
