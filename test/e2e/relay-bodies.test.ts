/** Bodies that break off or never end leave nothing behind. */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { CONTROL_BYTES, encodeControl } from '../../protocol/control.ts';
import type { Conduit } from '../../relay/conduit.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { allWiped, openAs, type RunningRelay, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import type { Site, SiteDevice } from '../fixtures/site.ts';

const BLOCK = 65_536;

/** Waits until `condition` holds; gives up after two seconds. */
async function until(condition: () => boolean): Promise<boolean> {
  for (let i = 0; i < 400 && !condition(); i++) await setTimeout(5);
  return condition();
}

function inUse({ store }: Conduit): number {
  return store.count().used;
}

/** Opens a connection and sends the head of a submit and the first `sent` bytes of its body. */
async function begin({ peer }: RunningRelay, device: SiteDevice, block: Buffer, sent: number): Promise<TLSSocket> {
  const socket = await connectPinned(peer('ot'));
  socket.on('error', () => {});
  const head = [
    'POST /v2/inbound HTTP/1.1',
    'host: x',
    `authorization: Bearer ${device.apiKey}`,
    'content-type: application/octet-stream',
    `content-length: ${block.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(block.subarray(0, sent));
  return socket;
}

async function start(t: Test, config: object = {}): Promise<[RunningRelay, Site]> {
  const site = smallPlant(t.testdir(), config);
  const running = await runRelay(t, site);
  await running.registered(site.device('plc'));
  await running.registered(site.device('historian'));
  return [running, site];
}

t.test('a body that is aborted frees its slot, and the bytes are gone', async (t) => {
  const [running, site] = await start(t);
  const block = sealTo(site.device('plc'), [site.device('historian')]);
  const socket = await begin(running, site.device('plc'), block, 40_000);
  t.ok(await until(() => inUse(running.conduit) === 1), 'the slot is taken while the body arrives');
  t.ok(await until(() => running.conduit.store.memory().some((slot) => slot[39_999] === block[39_999])));
  socket.destroy();
  t.ok(await until(() => inUse(running.conduit) === 0));
  t.ok(await allWiped(running.conduit));
  t.ok(await until(() => running.log.some(({ code }) => code === 'body-incomplete')));
});

t.test('a body that ends early frees its slot', async (t) => {
  const [running, site] = await start(t);
  const block = sealTo(site.device('plc'), [site.device('historian')]);
  const socket = await begin(running, site.device('plc'), block, 40_000);
  t.ok(await until(() => inUse(running.conduit) === 1));
  socket.end();
  t.ok(await until(() => inUse(running.conduit) === 0));
  t.ok(await allWiped(running.conduit));
});

t.test('a body that takes too long is refused, and the connection ends', async (t) => {
  const [running, site] = await start(t, { limits: { bodySeconds: 1 } });
  const block = sealTo(site.device('plc'), [site.device('historian')]);
  const socket = await begin(running, site.device('plc'), block, 1000);
  const answer = String((await once(socket, 'data'))[0]);
  t.match(answer, /^HTTP\/1.1 408 /);
  t.match(answer, /connection: close/);
  t.match(answer, /"code":"body-timeout"/);
  t.equal(inUse(running.conduit), 0);
  socket.destroy();
});

t.test('a device that is revoked while its block arrives has sent it to nobody', async (t) => {
  const [running, site] = await start(t);
  const plc = site.device('plc');
  const block = sealTo(plc, [site.device('historian')]);
  const socket = await begin(running, plc, block, 40_000);
  t.ok(await until(() => inUse(running.conduit) === 1));
  const revocations = [{ did: plc.did, what: 'device' as const }];
  const operator = running.client(site.device('historian'), 'management');
  await operator.publishRoster(site.issueRoster({ version: 2, revocations }));
  socket.write(block.subarray(40_000));
  t.match(String((await once(socket, 'data'))[0]), /^HTTP\/1.1 404 /);
  t.ok(await allWiped(running.conduit));
  socket.destroy();
});

t.test('a reader that dies in the middle gets the block again, and nobody else does', async (t) => {
  const blockSize = 1_048_576;
  const directory = t.testdir();
  const site = smallPlant(directory, {}, 'plant-1', blockSize);
  const running = await runRelay(t, site);
  const [plc, historian, mirror] = [site.device('plc'), site.device('historian'), site.device('mirror')];
  const sender = await running.registered(plc);
  const reader = await running.registered(historian);
  const other = await running.registered(mirror);
  await sender.submit(sealTo(plc, [historian, mirror], { views: 1, blockSize }));

  await dieAfter(running, historian, BLOCK);
  const missed = await other.claim([sessionItem()], blockSize);
  t.ok(missed.items.some(({ type }) => type === 'cover'));
  const again = await reader.claim([sessionItem(4, 2)], blockSize);
  t.match(
    again.items.find(({ type }) => type === 'lease'),
    { attempt: 2 },
  );
  const { ackSecret } = openAs(site, historian, again.block);
  const { transferId } = again.items.find(({ type }) => type === 'lease') as { transferId: Uint8Array };
  await reader.ack([{ type: 'ack', transferId, ackSecret }]);
  t.ok(await allWiped(running.conduit));
});

t.test('a reader that stops reading cannot keep a burned block in memory', async (t) => {
  const blockSize = 16_777_216; // more than the kernel buffers of a connection take
  const site = smallPlant(t.testdir(), { limits: { bodySeconds: 1 }, store: { slots: 2 } }, 'plant-1', blockSize);
  const running = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await running.registered(plc);
  await running.registered(historian);
  const accepted = await sender.submit(sealTo(plc, [historian], { blockSize }));
  const { transferId } = accepted.find(({ type }) => type === 'accepted') as { transferId: Uint8Array };
  const socket = await beginClaim(running, historian);
  t.ok(await until(() => running.events.some(({ type }) => type === 'leased')));
  await sender.delete(transferId);
  t.same(running.conduit.store.count(), { free: 1, used: 0, burning: 1 }, 'still pinned by the answer');
  t.ok(await allWiped(running.conduit), 'the answer was cut off');
  socket.destroy();
});

/** Claims as `device` over a bare connection, and reads nothing of the answer. */
async function beginClaim({ peer }: RunningRelay, device: SiteDevice): Promise<TLSSocket> {
  const socket = await connectPinned(peer('it'));
  socket.on('error', () => {});
  const head = [
    'POST /v2/claim HTTP/1.1',
    'host: x',
    `authorization: Bearer ${device.apiKey}`,
    'content-type: application/octet-stream',
    `content-length: ${CONTROL_BYTES}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n`);
  socket.write(encodeControl([sessionItem(4, 1)]));
  return socket;
}

/** Claims as `device` and cuts the connection after `bytes` bytes of the answer. */
async function dieAfter(running: RunningRelay, device: SiteDevice, bytes: number): Promise<void> {
  const socket = await beginClaim(running, device);
  let seen = 0;
  for await (const chunk of socket) {
    seen += (chunk as Buffer).length;
    if (seen >= bytes) break;
  }
  socket.destroy();
}
