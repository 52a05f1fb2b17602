/** The log: its events are those of docs/monitoring.md, and nothing that it says at any level is a secret. */
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { CONTROL_BYTES, type ControlItem, encodeControl, itemOf } from '../../protocol/control.ts';
import type { ProblemCode } from '../../protocol/problem.ts';
import { RECEIPT_BYTES } from '../../protocol/receipt.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { makeLog } from '../../relay/monitor/event-log.ts';
import { connectPinned } from '../../tools/lib/pinned-tls.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { openAs, type Request, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { secretsIn } from '../fixtures/secrets.ts';
import { seedOf } from '../fixtures/site.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const READING = 'reactor 4 pressure is 71.25 bar';

t.test('traffic with every kind of refusal leaves no secret in the log', async (t) => {
  const site = smallPlant(t.testdir(), {
    store: { slots: 3 },
    limits: { slotsPerSender: 2, maxTtlSeconds: 3600, failuresPerMinute: 10_000 },
  });
  const { ask, client, registered, peer, log } = await runRelay(t, site);
  const [plc, plc2, historian, mirror] = ['plc', 'plc2', 'historian', 'mirror'].map((name) => site.device(name));
  for (const device of [plc!, plc2!, historian!, mirror!]) await registered(device);
  const block = sealTo(plc!, [historian!], { plain: Buffer.from(READING.repeat(3)) });
  const { ackSecret } = openAs(site, historian!, block);
  const hash = Buffer.from(await crypto.subtle.digest('SHA-256', block));
  const seeds = ['device', 'kem', 'salt'].map((of) => seedOf(`plant-1 ${of} plc`));
  const secrets = {
    'API key of plc': plc!.apiKey,
    'API key of historian': historian!.apiKey,
    'signing seed': seeds[0]!,
    'KEM seed': seeds[1]!,
    'name salt': seeds[2]!.subarray(0, 16),
    payload: READING,
    'hash of the block': hash,
    'ack secret': ackSecret,
    // A stanza is key id (public), two ciphertexts, wrapped key, commitment; then come commitment, body and tag.
    ...Object.fromEntries(
      [100, 600, 1100, 1170, 1200, 30_000].map((at) => [`block at ${at}`, block.subarray(at, at + 40)]),
    ),
  };

  const post = (path: string, body: Uint8Array | string, type: string, key = plc!.apiKey): Request => ({
    method: 'POST',
    path,
    body,
    headers: { 'content-type': type, authorization: `Bearer ${key}` },
  });
  const json = (path: string, value: unknown) => post(path, JSON.stringify(value), 'application/json');
  const submit = (body: Uint8Array, key = plc!.apiKey) => post('/v2/inbound', body, 'application/octet-stream', key);
  const say = (...items: ControlItem[]) =>
    post('/v2/claim', encodeControl([sessionItem(), ...items]), 'application/octet-stream', historian!.apiKey);
  const seedText = toBase64Url(seeds[0]!);

  // 1. Secrets where they do not belong: other fields, other calls, addresses, bytes that are not HTTP.
  const { identity, grant, keyStatement } = plc!.registration;
  for (const body of [
    plc!.apiKey,
    { seed: seedText },
    { identity: seedText, grant, keyStatement },
    { identity: { ...identity, ed25519: seedText }, grant, keyStatement },
    { identity, grant: { signed: { name: plc!.apiKey, seed: seedText }, signatures: {} }, keyStatement },
    { identity, grant, keyStatement: { signed: READING, signatures: seedText } },
    { [seedText]: seedText },
  ]) {
    await ask('ot', json('/v2/did/register', body));
    await ask('management', json('/v2/roster', body));
    await ask('management', json('/v2/revoke', body));
  }
  await ask('ot', post('/v2/did/register', `${seedText} ${READING}`, 'application/json'));
  await ask('ot', {
    path: `/v2/did/${plc!.apiKey}?key=${seedText}`,
    headers: { authorization: `Bearer ${plc!.apiKey}` },
  });
  await ask('ot', { path: `/${plc!.apiKey}/${seedText}` });
  await ask('ot', { path: '/v2/roster', headers: { authorization: plc!.apiKey } });
  await ask('ot', { path: '/v2/roster', headers: { authorization: `Bearer pgp_${seedText.slice(0, 40)}` } });
  const socket = await connectPinned(peer('ot'));
  socket.end(`${plc!.apiKey} ${seedText} ${READING}\r\n\r\n`).resume();
  await once(socket, 'close');
  const bare = connect(peer('ot').port, '127.0.0.1');
  bare.end(`${plc!.apiKey} ${seedText}`).resume();
  await once(bare, 'close');

  // 2. Blocks that cannot be, and control frames that cannot be.
  await ask('ot', submit(block.subarray(1)));
  await ask('ot', submit(Buffer.concat([Buffer.from(READING), block.subarray(READING.length)])));
  await ask('ot', submit(sealTo(plc!, [site.device('archive')])));
  await ask('ot', submit(sealTo(plc2!, [mirror!]), plc2!.apiKey));
  await ask('ot', submit(sealTo(plc!, [historian!], { ttlSeconds: 3601 })));
  await ask('ot', submit(block));
  await ask('ot', submit(sealTo(plc!, [historian!])));
  await ask('ot', submit(sealTo(plc!, [historian!])));
  await ask('ot', submit(sealTo(plc2!, [historian!]), plc2!.apiKey));
  await ask('ot', submit(sealTo(plc2!, [historian!]), plc2!.apiKey));
  await ask(
    'it',
    post('/v2/claim', new Uint8Array(CONTROL_BYTES).fill(7), 'application/octet-stream', historian!.apiKey),
  );
  const lease = itemOf((await client(historian!).claim([sessionItem()], block.length)).items, 'lease')!;
  const { transferId } = lease;
  await ask('it', say({ type: 'ack', transferId, ackSecret: ackSecret.map((byte) => byte ^ 1) }));
  await ask('it', say({ type: 'receipt', bytes: new Uint8Array(RECEIPT_BYTES) }));
  for (const path of [hash.toString('hex'), 'nonsense']) {
    await ask('it', {
      path: `/v2/outbound/${path}`,
      headers: { authorization: `Bearer ${historian!.apiKey}`, range: 'bytes=9-1' },
    });
  }
  await ask('it', say({ type: 'ack', transferId, ackSecret }));

  const codes = new Set(log.flatMap(({ code }) => (code === undefined ? [] : [code as ProblemCode])));
  for (const code of [
    'not-available',
    'block-size',
    'block-invalid',
    'no-recipient',
    'not-routed',
    'ttl-exceeded',
    'quota-exceeded',
    'slots-full',
    'control-invalid',
    'ack-invalid',
    'receipt-invalid',
    'range-invalid',
  ] as const) {
    t.ok(codes.has(code), `${code} was met`);
  }
  for (const event of ['refused', 'refused an item', 'no handshake', 'transfer', 'registered']) {
    t.ok(
      log.some(({ msg }) => msg === event),
      `${event} was logged`,
    );
  }
  t.same(secretsIn(log.map((line) => JSON.stringify(line)).join('\n'), secrets), []);
  t.same(secretsIn(`detail: "${plc!.apiKey.slice(0, 40)}..."`, secrets), ['API key of plc'], 'a part is found');
});

t.test('a field that may not be in a line is blacked out, whoever adds it', async (t) => {
  const lines: string[] = [];
  const log = makeLog('info', { write: (line) => void lines.push(line) });
  const secrets = ['authorization', 'apiKey', 'licenceKey', 'seed', 'ackSecret', 'key'];
  for (const name of secrets) log.info({ [name]: 'pgp_secret', within: { [name]: 'pgp_secret' } }, 'by mistake');
  t.equal(lines.length, secrets.length);
  t.notMatch(lines.join(''), 'pgp_secret');
  t.match(lines.join(''), '"seed":"[Redacted]"');
});

t.test('every event of the log has its row in docs/monitoring.md, and no other has', async (t) => {
  const page = readFileSync(join(ROOT, 'docs', 'monitoring.md'), 'utf8');
  const rows = [...page.slice(page.indexOf('| `msg` |')).matchAll(/^\| `([a-z ]+)` \| (?:debug|info|warn)/gm)];
  const source = globSync('relay/**/*.ts', { cwd: ROOT }).map((path) => readFileSync(join(ROOT, path), 'utf8'));
  const calls = source.flatMap((text) => [...text.matchAll(/\blog(?:\.\w+|\[[^\]]+\])\(\s*[^;]*?'([^']+)',?\s*\)/g)]);
  t.same(rows.map(([, event]) => event).sort(), [...new Set(calls.map(([, event]) => event))].sort());
});
