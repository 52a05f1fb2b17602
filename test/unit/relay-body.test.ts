import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough } from 'node:stream';
import t from 'tap';
import { receiveBlock } from '../../relay/http/body.ts';
import { sameBytes } from '../fixtures/protocol.ts';

const BLOCK = randomBytes(1_048_576);
const HASH = createHash('sha256').update(BLOCK).digest('hex');

t.test('a block that was received is in its slot and nowhere else', async (t) => {
  const target = Buffer.alloc(BLOCK.length);
  const chunks: Buffer[] = [];
  const received = Promise.withResolvers<string>();
  const server = http.createServer((request, response) => {
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    receiveBlock(request, target, BLOCK.length, 10_000).then(received.resolve, received.reject);
    received.promise.finally(() => response.end()).catch(() => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const call = http.request({ host: '127.0.0.1', port, method: 'POST', headers: { 'content-length': BLOCK.length } });
  call.end(BLOCK);
  t.equal(await received.promise, HASH);
  sameBytes(t, target, BLOCK);
  t.ok(chunks.length > 1, 'it came in chunks');
  t.ok(
    chunks.every(({ buffer }) => (buffer as ArrayBuffer).detached),
    'and their memory was given back',
  );
});

t.test('a chunk that shares its memory with others is left as it is', async (t) => {
  const whole = Uint8Array.from(BLOCK);
  const request = Object.assign(new PassThrough(), { headers: { 'content-length': String(BLOCK.length) } });
  const received = receiveBlock(
    request as unknown as IncomingMessage,
    Buffer.alloc(BLOCK.length),
    BLOCK.length,
    10_000,
  );
  for (let at = 0; at < whole.length; at += 65_536) request.write(whole.subarray(at, at + 65_536));
  request.end();
  t.equal(await received, HASH);
  sameBytes(t, whole, BLOCK);
});
