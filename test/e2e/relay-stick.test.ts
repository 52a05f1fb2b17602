/** A relay whose audit log is on a stick: what its clients and its operator see in each mode. */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { itemOf } from '../../protocol/control.ts';
import { parseLogReceipt } from '../../protocol/log-receipt.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { verifyAll } from '../fixtures/audit.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { seedOf } from '../fixtures/site.ts';
import { until } from '../fixtures/until.ts';

/** A relay in the test, with a stick in a folder. */
async function onStick(t: Test, mode: 'required' | 'best-effort') {
  const directory = t.testdir();
  const seedFile = join(directory, 'seed');
  writeFileSync(seedFile, toBase64Url(seedOf('relay')), { mode: 0o600 });
  const path = join(directory, 'stick');
  mkdirSync(path);
  const site = smallPlant(directory, { seedFile, store: { slots: 128 }, audit: { mode, stick: { path } } });
  const relay = await runRelay(t, site);
  const [from, to] = [site.device('plc'), site.device('historian')];
  const submit = () =>
    relay.ask('ot', {
      method: 'POST',
      path: '/v2/inbound',
      headers: { authorization: `Bearer ${from.apiKey}`, 'content-type': 'application/octet-stream' },
      body: sealTo(from, [to]),
    });
  const reader = await relay.registered(to);
  const sender = await relay.registered(from);
  return { ...relay, path, site, submit, reader, sender };
}

t.test('required: durable answers, no new block without the stick, and all of it again when it is back', async (t) => {
  const { ask, path, submit, reader, sender, conduit, relay, site } = await onStick(t, 'required');
  const first = await submit();
  t.equal(first.status, 201);
  t.equal(first.headers['ghostpipe-audit'], 'durable');
  const answer = await sender.submit(sealTo(site.device('plc'), [site.device('historian')]));
  t.equal(parseLogReceipt(itemOf(answer, 'logReceipt')!.bytes).mode, 'required');
  t.match(JSON.parse((await ask('management', { path: '/health' })).body.toString()), {
    auditMode: 'required',
    status: 'ready',
  });

  renameSync(path, `${path}-away`);
  const refused = await until(async () => {
    const tried = await submit();
    return tried.body.includes('audit-unavailable') && tried;
  });
  t.equal(refused.status, 503);
  t.ok(refused.headers['retry-after']);
  const { items } = await reader.claim([sessionItem()], 65_536);
  t.ok(itemOf(items, 'lease'), 'what is held is delivered');
  const roster = await ask('ot', { path: '/v2/roster' });
  t.equal(roster.headers['ghostpipe-audit'], undefined, 'nothing for strangers');
  const body = {
    status: 'not-ready',
    auditMode: 'required-degraded',
    reasons: [/^audit log: degraded since 2.*the stick is missing/],
  };
  const health = await ask('management', { path: '/health' });
  t.equal(health.status, 503);
  t.match(JSON.parse(health.body.toString()), body);
  const metrics = (await ask('management', { path: '/metrics' })).body.toString();
  t.match(metrics, 'ghostpipe_log_mode{mode="required-degraded"} 1');
  t.match(metrics, /ghostpipe_log_unarchived_records [1-9]/);

  renameSync(`${path}-away`, path);
  const again = await until(async () => {
    const tried = await submit();
    return tried.status === 201 && tried;
  });
  t.equal(again.headers['ghostpipe-audit'], 'durable');
  t.equal(conduit.audit.state.unarchived, 0);
  const { size } = conduit.audit.view.epochs.at(-1)! as unknown as { size: number };
  for (let i = 0; i < 300; i++) await ask('ot', { path: `/${i}` });
  t.ok((conduit.audit.view.epochs.at(-1)! as unknown as { size: number }).size - size < 5, 'a flood is no records');
  await relay.close();
  verifyAll(t, conduit.audit.view.epochs.at(-1)!, relay.logPin);
  const [epoch] = readdirSync(join(path, 'epochs'));
  t.same(readdirSync(join(path, 'epochs', epoch!, 'journal')), [], 'an epoch that ended has no journal');
});

t.test('best-effort: everything goes on, and says what is missing', async (t) => {
  const { ask, path, submit, conduit } = await onStick(t, 'best-effort');
  const first = await submit();
  t.equal(first.headers['ghostpipe-audit'], 'ram');
  await until(() => conduit.audit.state.unarchived === 0);
  renameSync(path, `${path}-away`);
  await until(() => conduit.audit.view.alarm);
  const second = await submit();
  t.equal(second.status, 201);
  t.match(second.headers['ghostpipe-audit'], /^ram; degraded since 2/);
  const { notices, status } = JSON.parse((await ask('management', { path: '/health' })).body.toString());
  t.equal(status, 'ready');
  t.match(notices[0], /^audit log: degraded since .* the stick is missing, \d+ records are not on it/);
  renameSync(`${path}-away`, path);
  await until(() => conduit.audit.view.alarm === null && conduit.audit.state.unarchived === 0);
});
