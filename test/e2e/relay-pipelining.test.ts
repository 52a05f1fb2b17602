/** Many requests in a row on one connection: answers stay whole, and those that never go out hold nothing. */
import { setTimeout } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { encodeControl, itemOf } from '../../protocol/control.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type RunningRelay, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import type { SiteDevice } from '../fixtures/site.ts';
import { readAnswers } from '../fuzz/http/answers.ts';

const BLOCK = 65_536;
/** Each claim is of another session, so that each is answered by a block as long as there is one. */
const CLAIMS = 100;

/** A relay that holds blocks for the reader, and a connection that asked for them many times and reads nothing yet. */
async function scene(t: Test): Promise<{ running: RunningRelay; socket: TLSSocket; reader: SiteDevice }> {
  const site = smallPlant(t.testdir());
  const running = await runRelay(t, site);
  const [plc, reader] = [site.device('plc'), site.device('historian')];
  const sender = await running.registered(plc);
  await running.registered(reader);
  for (let i = 0; i < 3; i++) await sender.submit(sealTo(plc, [reader]));
  const socket = await connectPinned(running.peer('it'));
  t.teardown(() => socket.destroy());
  socket.on('error', () => {}).pause();
  for (let i = 0; i < CLAIMS; i++) socket.write(claim(reader, 1 + (i % 50)));
  while (leased(running) === 0) await setTimeout(5);
  await setTimeout(200); // until the relay waits for its reader
  return { running, socket, reader };
}

function claim({ apiKey }: SiteDevice, session: number): Buffer {
  const frame = encodeControl([sessionItem(4, session)]);
  const head = ['POST /v2/claim HTTP/1.1', 'host: x', `authorization: Bearer ${apiKey}`];
  const body = ['content-type: application/octet-stream', `content-length: ${frame.length}`];
  return Buffer.concat([Buffer.from(`${[...head, ...body].join('\r\n')}\r\n\r\n`), frame]);
}

function leased({ events }: RunningRelay): number {
  return events.filter(({ type }) => type === 'leased').length;
}

t.test('no other answer stands in the middle of one', async (t) => {
  const { socket } = await scene(t);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).resume();
  for (let i = 0; i < 600 && !socket.closed; i++) await setTimeout(5);
  const bytes = Buffer.concat(chunks);
  t.ok(bytes.length > 0);
  t.equal(readAnswers(bytes).fault, null);
  t.notMatch(bytes.toString('latin1'), /HTTP\/1\.1 404/, 'every request was good');
});

t.test('a connection that ends frees the blocks of the answers that waited', async (t) => {
  const { running, socket, reader } = await scene(t);
  socket.destroy();
  const client = running.client(reader);
  let items = (await client.claim([sessionItem(1, 99)], BLOCK)).items;
  for (let lease = itemOf(items, 'lease'); lease; lease = itemOf(items, 'lease')) {
    const reject = { type: 'reject', transferId: lease.transferId, code: 'cannot-open' } as const;
    items = (await client.claim([sessionItem(1, 99), reject], BLOCK)).items;
  }
  const { store } = running.conduit;
  for (let i = 0; i < 400 && store.count().burning > 0; i++) await setTimeout(5);
  t.same(store.count(), { free: 8, used: 0, burning: 0 });
});

t.test('requests in a row that wait for 100 Continue are told so in turn, and get whole answers', async (t) => {
  const running = await runRelay(t, smallPlant(t.testdir()));
  const socket = await connectPinned(running.peer('management'));
  t.teardown(() => socket.destroy());
  let text = '';
  socket
    .on('error', () => {})
    .on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
  socket.write('GET /nothing HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\n\r\n'.repeat(40));
  for (let i = 0; i < 600 && text.split('"mend"').length <= 40; i++) await setTimeout(5);
  t.same(readAnswers(Buffer.from(text, 'latin1')), { said: Array(40).fill('404 not-available'), fault: null });
  t.equal(text.split('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404').length, 41);
});
