/** Strangers learn nothing: whatever they ask, and for whatever reason they are strangers, the answer is one. */
import { once } from 'node:events';
import t from 'tap';
import { CONTROL_BYTES } from '../../protocol/control.ts';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type Request, runRelay, sealTo } from '../fixtures/relay.ts';

const OCTETS = 'application/octet-stream';
const JSON_TYPE = 'application/json';

t.test('one answer to all strangers, byte for byte', async (t) => {
  const directory = t.testdir();
  const site = smallPlant(directory);
  const foreign = smallPlant(directory, {}, 'plant-2');
  const { ask, registered, log } = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  await registered(plc);
  await registered(historian);
  const block = sealTo(plc, [historian]);
  const bearer = (key: string) => ({ authorization: `Bearer ${key}` });
  const known = bearer(plc.apiKey);
  const reader = bearer(historian.apiKey);
  const post = (path: string, body: Uint8Array | string, headers: Record<string, string> = {}, type = OCTETS) => ({
    method: 'POST',
    path,
    body,
    headers: { 'content-type': type, ...headers },
  });
  const frame = new Uint8Array(CONTROL_BYTES);
  const hash = '0'.repeat(64);
  const id = '0'.repeat(32);
  const registration = (device: typeof plc) => JSON.stringify(device.registration);
  const lone = site.stranger('nobody');

  const strangers: readonly [cause: RegExp, zone: 'ot' | 'it', request: Request][] = [
    [/carries no API key/, 'ot', post('/v2/inbound', block)],
    [/carries no API key/, 'ot', post('/v2/inbound', block, { authorization: 'Basic Zm9v' })],
    [/carries no API key/, 'ot', post('/v2/inbound', block, bearer('pgp_short'))],
    [/no registered device/, 'ot', post('/v2/inbound', block, bearer(`pgp_${'A'.repeat(43)}`))],
    [/no registered device/, 'ot', post('/v2/inbound', block, bearer(foreign.device('plc').apiKey))],
    [/is of zone it/, 'ot', { path: '/v2/roster', headers: reader }],
    [/is of zone ot/, 'it', post('/v2/claim', frame, known)],
    [/serves no such call/, 'ot', post('/v2/claim', frame, known)],
    [/no block with this hash/, 'it', { path: `/v2/outbound/${hash}`, headers: reader }],
    [/no block with this hash/, 'it', { path: '/v2/outbound/nonsense', headers: reader }],
    [/no such transfer/, 'ot', { path: `/v2/status/${id}`, headers: known }],
    [/no such transfer/, 'ot', { method: 'DELETE', path: `/v2/inbound/${id}`, headers: known }],
    [/no device with this identifier/, 'ot', { path: `/v2/did/${lone.did}`, headers: known }],
    [/serves no such call/, 'ot', { path: '/', headers: known }],
    [/serves no such call/, 'ot', { path: '/v2/inbound', headers: known }],
    [/serves no such call/, 'ot', { method: 'PUT', path: '/v2/inbound', headers: known, body: block }],
    [/serves no such call/, 'ot', { method: 'OPTIONS', path: '/v2/roster', headers: known }],
    [/serves no such call/, 'ot', { method: 'QUERY', path: '/v2/roster', headers: known }],
    [/carries no API key/, 'ot', post('/v2/inbound', block, { expect: 'nonsense' })],
    [/serves no such call/, 'ot', { method: 'PROPFIND', path: '/v2/roster', headers: known }],
    [/serves no such call/, 'ot', { path: '/v2/roster/', headers: known }],
    [/serves no such call/, 'ot', { path: '/V2/roster', headers: known }],
    [/serves no such call/, 'ot', { path: '/v2/did/%zz', headers: known }],
    [/serves no such call/, 'ot', { path: `/v2/status/${'0'.repeat(200)}`, headers: known }],
    [/serves no such call/, 'ot', { path: '/health' }],
    [/carries no API key/, 'ot', post('/v2/did/register', registration(plc), {}, JSON_TYPE)],
    [/names another API key/, 'ot', post('/v2/did/register', registration(plc), reader, JSON_TYPE)],
    [/schema-invalid/, 'ot', post('/v2/did/register', '{}', known, JSON_TYPE)],
    [/json-invalid/, 'ot', post('/v2/did/register', 'garbage', known, JSON_TYPE)],
    [/media-type/, 'ot', post('/v2/did/register', registration(plc), known, 'text/plain')],
    [/body-too-large/, 'ot', post('/v2/did/register', ' '.repeat(40_000), known, JSON_TYPE)],
    [
      /signature-invalid/,
      'ot',
      post('/v2/did/register', registration(foreign.device('plc')), bearer(foreign.device('plc').apiKey), JSON_TYPE),
    ],
  ];
  for (const [cause, zone, request] of strangers) {
    const before = log.length;
    const { status, headers, body } = await ask(zone, request);
    const what = `${request.method ?? 'GET'} ${request.path.slice(0, 30)} (${cause.source})`;
    t.equal(status, 404, what);
    t.equal(headers['content-type'], 'application/problem+json', what);
    t.ok(body.equals(NOT_AVAILABLE), what);
    const line = log.slice(before).find(({ msg }) => msg === 'refused');
    t.match(line, { code: 'not-available', detail: cause, zone, peer: '127.0.0.1' }, `the log knows: ${cause.source}`);
  }
  t.notMatch(JSON.stringify(log), /pgp_/, 'no key is ever logged');
});

t.test('the body of a stranger is read, and its connection goes on', async (t) => {
  const site = smallPlant(t.testdir());
  const { peer } = await runRelay(t, site);
  const socket = await connectPinned(peer('ot'));
  t.teardown(() => socket.destroy());
  const head = 'POST /v2/inbound HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n';
  const request = Buffer.concat([Buffer.from(head), Buffer.alloc(200_000)]);
  for (let i = 0; i < 3; i++) {
    socket.write(request);
    const answer = (await once(socket, 'data'))[0] as Buffer;
    t.match(answer.toString(), /^HTTP\/1.1 404 Not Found\r\n/);
    t.notMatch(answer.toString(), /connection: close/i);
  }
});

t.test('a request without host gets the same body, with or without a key', async (t) => {
  const site = smallPlant(t.testdir());
  const { peer, registered } = await runRelay(t, site);
  await registered(site.device('plc'));
  const key = `authorization: Bearer ${site.device('plc').apiKey}\r\n`;
  for (const head of ['GET /v2/roster HTTP/1.1\r\n', `GET /v2/roster HTTP/1.1\r\n${key}`]) {
    const socket = await connectPinned(peer('ot'));
    t.teardown(() => socket.destroy());
    socket.write(`${head}\r\n`);
    const answer = String((await once(socket, 'data'))[0]);
    t.match(answer, /^HTTP\/1.1 404 Not Found\r\n/);
    t.ok(answer.endsWith(NOT_AVAILABLE.toString()));
  }
});

t.test('bytes that are not HTTP get the same body, and the connection ends', async (t) => {
  const site = smallPlant(t.testdir());
  const { peer } = await runRelay(t, site);
  for (const garbage of ['hello\r\n\r\n', '\x16\x03\x01\x02\x00', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n\r\n`]) {
    const socket = await connectPinned(peer('ot'));
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => {});
    socket.write(garbage);
    await once(socket, 'close');
    const answer = Buffer.concat(chunks).toString();
    t.match(answer, /^HTTP\/1.1 404 Not Found\r\n/, garbage.slice(0, 5));
    t.ok(answer.endsWith(NOT_AVAILABLE.toString()));
  }
});

t.test('the relay never redirects', async (t) => {
  const site = smallPlant(t.testdir());
  const { ask } = await runRelay(t, site);
  for (const path of ['//v2/roster', '/v2//roster', '/v2/roster/..', '/v2/roster/../health', 'http://127.0.0.1/x']) {
    const { status, headers } = await ask('ot', { path });
    t.equal(status, 404, path);
    t.notOk(headers.location, path);
  }
});

t.test('a relay in one zone serves the devices of every zone', async (t) => {
  const listener = { zone: 'ot', address: '127.0.0.1', port: 0, tls: 'pq' };
  const calls = ['inbound', 'claim', 'ack', 'register', 'roster'];
  const site = smallPlant(t.testdir(), { listeners: [{ ...listener, calls }] });
  const { client } = await runRelay(t, site);
  const historian = client(site.device('historian'), 'ot');
  await historian.register(site.device('historian').registration);
  t.same(Buffer.from(await historian.roster()), Buffer.from(site.rosterBytes));
});
