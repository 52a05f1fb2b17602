/** The status of a relay, asked by the tool and by a browser: one truth in two forms. */
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import t from 'tap';
import { parse, stringify } from 'yaml';
import { until } from '../fixtures/clients.ts';
import { feed, linesOf } from '../fixtures/flow.ts';
import { makeOperator, type Operator, stop } from '../fixtures/operator.ts';

t.setTimeout(60_000);

/** A page of the monitoring listener, as a browser gets it that trusts the relay's certificate and nothing else. */
async function browse(operator: Operator, certificate: string, path: string) {
  const request = https.get({ host: operator.address, port: 3003, path, ca: certificate, servername: 'plant-1' });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  const body = (await answer.setEncoding('utf8').toArray()).join('');
  return { status: answer.statusCode, headers: answer.headers, body };
}

t.test('ready: who was heard when, the same for the tool and the browser', async (t) => {
  const operator = makeOperator(t);
  const dir = `--dir ${operator.path('site')}`;
  await operator.run(`provision device watch --role operate --zone management ${dir} --out ${operator.path('watch')}`);
  await operator.relay();
  const receiver = await operator.receiver('historian', 'historian');
  const sender = operator.sender('plc', 'plc');
  feed(sender, ['21.5']);
  await until('the reading', () => linesOf(receiver.stdout()).length === 1, sender.stderr);
  await stop(sender);
  await stop(receiver);

  const { json } = await operator.run(`status ${dir}`);
  t.match(json, {
    ok: true,
    status: 'ready',
    rosterVersion: 4,
    registeredDevices: 2,
    slots: { free: Number, used: Number, burning: 0 },
    devices: [
      { name: 'historian', zone: 'it', registered: true, lastBlockSeconds: null, lastClaimSeconds: Number },
      { name: 'plc', zone: 'ot', registered: true, lastBlockSeconds: Number, lastClaimSeconds: null },
      { name: 'watch', zone: 'management', registered: false, registeredSeconds: null },
    ],
  });
  t.match((await operator.run(`status --relay iot --config-dir ${operator.path('watch')}`)).json, { ok: true });

  const certificate = (await operator.attempt(`relay --config ${operator.path('site/relay/relay.yaml')} --certificate`))
    .out;
  const page = await browse(operator, certificate, '/');
  t.match(page, { status: 200, headers: { 'content-security-policy': /^default-src 'none'/ } });
  for (const name of ['historian', 'plc', 'watch']) t.match(page.body, `>${name}</td>`);
  const same = (status: Record<string, unknown>) => [status.name, status.epoch, status.rosterVersion, status.slots];
  const { body } = await browse(operator, certificate, '/status.json');
  t.same(same(JSON.parse(body)), same(json));
  t.match((await browse(operator, certificate, '/health')).body, '"status":"ready"');
  t.equal((await browse(operator, certificate, '/v2/roster')).status, 404, 'and no more');
  await t.rejects(browse(operator, '', '/'), 'who does not trust the certificate gets nothing');
});

t.test('not ready, not reachable, not to be asked', async (t) => {
  const operator = makeOperator(t);
  const dir = `--dir ${operator.path('site')}`;
  t.match(await operator.attempt(`status ${dir}`), { code: 3, json: { code: 'relay-unreachable' } });

  cpSync(operator.path('site', 'relay'), operator.path('bare'), { recursive: true });
  const { site: _, ...config } = parse(readFileSync(operator.path('bare', 'relay.yaml'), 'utf8'));
  writeFileSync(operator.path('bare', 'relay.yaml'), stringify(config));
  const relay = await operator.relay('bare');
  t.match(await operator.attempt(`status ${dir}`), {
    code: 1,
    json: { ok: false, status: 'not-ready', reasons: [/no site is configured/], devices: [] },
  });
  const { relayPins } = JSON.parse(readFileSync(operator.path('site', 'site.json'), 'utf8'));
  const [url, pin] = [`https://${operator.address}`, relayPins[0]];
  t.match(await operator.attempt(`status --url ${url}:3002 --pin ${pin}`), { code: 1 });
  t.match(await operator.attempt(`status --url ${url}:3001 --pin ${pin}`), {
    code: 3,
    json: { code: 'not-available' },
  });
  t.match(await operator.attempt(`status --url ${url}:3003 --pin ${pin}`), { code: 3, json: { code: 'tls-group' } });
  const other = `${pin.slice(0, -1)}${pin.endsWith('A') ? 'E' : 'A'}`;
  t.match(await operator.attempt(`status --url ${url}:3002 --pin ${other}`), {
    code: 3,
    json: { code: 'pin-mismatch' },
  });
  t.match(await operator.attempt(`status --url ${url}:3002`), { code: 2 });
  t.match(await operator.attempt(`status --url ${url}:3002 --pin nonsense`), { code: 2 });
  await stop(relay);

  const yaml = operator.path('bare', 'relay.yaml');
  writeFileSync(yaml, stringify({ ...config, seedFile: undefined }));
  const nameless = await operator.attempt(`relay --config ${yaml} --certificate`);
  t.match(nameless, { code: 3, err: /no seedFile.*\[config-invalid\]/ });
});
