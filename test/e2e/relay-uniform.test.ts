/** Refusals of strangers are the same bytes on the wire, from the status line on, whatever the cause; times are printed. */
import type { TLSSocket } from 'node:tls';
import t, { type Test } from 'tap';
import { CONTROL_BYTES } from '../../protocol/control.ts';
import type { Zone } from '../../protocol/shapes.ts';
import { NOT_AVAILABLE } from '../../relay/http/problem-reply.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { type RunningRelay, runRelay, sealTo } from '../fixtures/relay.ts';

const ROUNDS = 40;

/** Reads from one connection, answer by answer. */
class Wire {
  readonly #socket: TLSSocket;
  readonly #iterator: AsyncIterator<Buffer>;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#iterator = socket.iterator({ destroyOnReturn: false });
  }

  /** Everything that answers one request, which ends with the body of strangers; and how long it took. */
  async exchange(request: Buffer): Promise<{ readonly answer: Buffer; readonly milliseconds: number }> {
    const begin = performance.now();
    this.#socket.write(request);
    let answer = Buffer.alloc(0);
    while (!answer.subarray(-NOT_AVAILABLE.length).equals(NOT_AVAILABLE)) {
      const { value, done } = await this.#iterator.next();
      if (done) break;
      answer = Buffer.concat([answer, value]);
    }
    return { answer, milliseconds: performance.now() - begin };
  }
}

async function connect(t: Test, { peer }: RunningRelay, zone: Zone): Promise<Wire> {
  const socket = await connectPinned(peer(zone));
  t.teardown(() => socket.destroy());
  return new Wire(socket);
}

t.test('one answer, byte for byte, after the body was read', async (t) => {
  const directory = t.testdir();
  const site = smallPlant(directory, { limits: { failuresPerMinute: 1_000_000 } });
  const foreign = smallPlant(directory, {}, 'plant-2');
  const running = await runRelay(t, site);
  const throttled = await runRelay(t, smallPlant(directory, { limits: { failuresPerMinute: 1 } }));
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  await running.registered(plc);
  await running.registered(historian);
  const listener = { zone: 'ot', address: '127.0.0.1', port: 0, tls: 'pq', calls: ['inbound', 'claim', 'register'] };
  const oneZone = await runRelay(t, smallPlant(directory, { listeners: [listener] }));
  await oneZone.client(historian, 'ot').register(historian.registration);
  const block = sealTo(plc, [historian]);
  const request = (line: string, body: Uint8Array, apiKey?: string) => {
    const key = apiKey === undefined ? [] : [`authorization: Bearer ${apiKey}`];
    const type = 'content-type: application/octet-stream';
    const head = [`${line} HTTP/1.1`, 'host: x', ...key, type, `content-length: ${body.length}`];
    return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
  };
  const frame = new Uint8Array(CONTROL_BYTES);
  const id = '0'.repeat(32);
  const causes: readonly [cause: string, of: RunningRelay, zone: Zone, request: Buffer][] = [
    ['no key', running, 'ot', request('POST /v2/inbound', block)],
    ['foreign key', running, 'ot', request('POST /v2/inbound', block, foreign.device('plc').apiKey)],
    ['wrong role', oneZone, 'ot', request('POST /v2/inbound', block, historian.apiKey)],
    ['wrong zone', running, 'ot', request('POST /v2/inbound', block, historian.apiKey)],
    ['unknown call', running, 'ot', request('POST /v2/unknown', block, plc.apiKey)],
    ['unknown method', running, 'ot', request('PUT /v2/inbound', block, plc.apiKey)],
    ['unknown transfer', running, 'ot', request(`DELETE /v2/inbound/${id}`, block, plc.apiKey)],
    ['forged roster', running, 'management', request('POST /v2/roster', block)],
    ['throttled', throttled, 'management', request('POST /v2/roster', block)],
    ['no key, small body', running, 'it', request('POST /v2/claim', frame)],
    ['no body', running, 'ot', request('GET /v2/roster', new Uint8Array(0))],
  ];
  await throttled.ask('management', { path: '/v2/roster', method: 'POST', body: frame });

  const wires = await Promise.all(causes.map(([, of, zone]) => connect(t, of, zone)));
  const times = causes.map((): number[] => []);
  let first: Buffer | undefined;
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, [cause, , , bytes]] of causes.entries()) {
      const { answer, milliseconds } = await wires[index]!.exchange(bytes);
      first ??= answer;
      if (!answer.equals(first)) t.equal(answer.toString(), first.toString(), cause);
      times[index]!.push(milliseconds);
    }
  }
  t.match(first!.toString(), /^HTTP\/1\.1 404 Not Found\r\n/);
  t.notMatch(first!.toString(), /^date:/im, 'the relay tells no time');
  t.ok(oneZone.log.some(({ detail }) => detail === 'historian lacks the role send'));
  const { body } = await throttled.ask('management', { path: '/metrics' });
  t.match(body.toString(), new RegExp(`^ghostpipe_throttled_total ${ROUNDS}$`, 'm'));
  t.comment(`${first!.length} bytes each; median of ${ROUNDS}:`);
  for (const [index, [cause]] of causes.entries()) {
    const median = times[index]!.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
    t.comment(`  ${cause.padEnd(20)} ${median.toFixed(2)} ms`);
  }
});
