/** What bounds the audit log of a real relay: the quantum of its site, and floods of strangers. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { itemOf } from '../../protocol/control.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { openAs, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { logOf, withClock } from '../fixtures/relay-log.ts';
import { makeSite } from '../fixtures/site.ts';

t.setTimeout(60_000);

const BLOCK = 65_536;

t.test('a block whose record no head would cover within a minute is refused, and nothing else is', async (t) => {
  const devices = [
    { name: 'plc', roles: ['send'] as const, zone: 'ot' as const },
    { name: 'historian', roles: ['receive'] as const, zone: 'it' as const },
  ];
  const routes = [{ from: 'plc', to: ['historian'] }];
  const site = makeSite({ directory: t.testdir(), devices, routes, logQuantum: 16, config: { store: { slots: 64 } } });
  const running = await withClock(t, site);
  const { registered, client, ask, pass, conduit } = running;
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  const block = () => sealTo(plc, [historian]);
  let taken = 0;
  const refusal = async () => {
    for (;;) {
      const { code } = await sender.submit(block()).then(
        () => ({ code: 'taken' }),
        (problem) => problem,
      );
      if (code !== 'taken') return code;
      taken += 1;
    }
  };
  t.equal(await refusal(), 'log-full');
  t.ok(taken > 10 && taken < 29, `${taken} blocks beside the other records`);
  const { notices } = JSON.parse((await ask('management', { path: '/health' })).body.toString());
  t.match(notices, [/takes no more records before its next head: new transfers are refused/]);
  for (let i = 0; i < 3; i++) {
    const { items, block: bytes } = await reader.claim([sessionItem()], BLOCK);
    const { ackSecret } = openAs(site, historian, bytes);
    t.ok(
      itemOf(await reader.ack([{ type: 'ack', transferId: itemOf(items, 'lease')!.transferId, ackSecret }]), 'status'),
    );
  }
  t.equal((await client(plc).roster()).length, site.rosterBytes.length);
  pass(30_000);
  for (let looks = 0; looks < 200 && conduit.audit.state.isFull; looks++) await sleep(20);
  taken = 0;
  t.equal(await refusal(), 'log-full');
  t.ok(taken > 0, 'after the head there is room again');
  const { of } = await logOf(t, running);
  t.equal(of('transfer.delivered').length, 3);
  t.ok(of('log.fill').length > 0);
  const [epoch] = conduit.audit.view.epochs;
  t.same(
    epoch!.heads.map(({ size }) => (size - 1) % 16),
    epoch!.heads.map(() => 0),
  );
});

t.test('a flood of strangers is some records a minute, whatever they try and from wherever', async (t) => {
  const listeners = [{ zone: 'ot', address: '127.0.0.1', port: 0, tls: 'off', calls: ['roster', 'health'] }];
  const site = smallPlant(t.testdir(), { listeners });
  const running = await runRelay(t, site);
  const { port } = running.relay.listeners[0]!;
  const flood = async (from: number, text: string | null) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: `127.1.0.${from}` });
    await once(socket, 'connect');
    socket.resume();
    if (text === null) socket.destroy();
    else socket.write(text);
    if (!socket.closed) await once(socket, 'close');
  };
  const request = 'GET /v2/roster HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n';
  for (let from = 1; from <= 100; from++) {
    await Promise.all([
      flood(from, request),
      flood(from, request),
      flood(from, null),
      flood(from, 'no HTTP at all\r\n\r\n'),
    ]);
  }
  const { of, records } = await logOf(t, running);
  const probes = of('probe');
  t.ok(probes.length <= 35, `${probes.length} records of 400 attempts`);
  t.equal(records.filter(({ src }) => src.k === 'peer').length, probes.length);
  const count = (kind: string) =>
    probes.filter(({ obj }) => obj.kind === kind).reduce((sum, { obj }) => sum + obj.count, 0);
  t.equal(count('request'), 200);
  t.ok(count('connection') > 180, 'of those that the relay saw before they were gone none is left out');
  t.ok(
    probes.some(({ obj }) => obj.source === '0'.repeat(32)),
    'the rest stands together',
  );
  t.notOk(JSON.stringify(records).includes('127.1.0'), 'no address');
});

t.test('a handshake that fails is a probe', async (t) => {
  const running = await runRelay(t, smallPlant(t.testdir()));
  const socket = connect(running.peer('it').port, '127.0.0.1');
  socket.end('GET / HTTP/1.1\r\n\r\n').resume();
  await once(socket, 'close');
  const { of } = await logOf(t, running);
  t.match(
    of('probe').find(({ obj }) => obj.kind === 'handshake'),
    { obj: { count: 1 }, src: { id: 'it', k: 'peer' } },
  );
});
