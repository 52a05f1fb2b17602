/** Disasters of a site, as docs/disasters.md has them: a lost relay, its identity lost or stolen, a lost operator folder. */
import { copyFileSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { until } from '../fixtures/clients.ts';
import { feed, linesOf } from '../fixtures/flow.ts';
import { makeOperator, type Operator, stop } from '../fixtures/operator.ts';

t.setTimeout(120_000);

function settings(operator: Operator): { readonly siteId: string; readonly relayPins: readonly string[] } {
  return JSON.parse(readFileSync(operator.path('site', 'site.json'), 'utf8'));
}

/** Starts receiver and sender, with one reading on its way. */
async function inService(operator: Operator, reading: string) {
  const receiver = await operator.receiver('historian', 'historian');
  const sender = operator.sender('plc', 'plc');
  const delivers = async (next: string): Promise<void> => {
    feed(sender, [next]);
    await until(next, () => linesOf(receiver.stdout()).includes(next), sender.stderr);
  };
  await delivers(reading);
  return { receiver, sender, delivers };
}

t.test("the relay's host is lost: a copy of its folder goes on, and no device is touched", async (t) => {
  const operator = makeOperator(t);
  const lost = await operator.relay();
  const { receiver, sender, delivers } = await inService(operator, 'before');
  const before = (await operator.run(`status --dir ${operator.path('site')}`)).json;
  await stop(lost, 'SIGKILL');
  feed(sender, ['meanwhile']);
  t.match(await operator.attempt(`status --dir ${operator.path('site')}`), { code: 3, json: { ok: false } });

  cpSync(operator.path('site', 'relay'), operator.path('new-host'), { recursive: true });
  await operator.relay('new-host');
  await delivers('after');
  t.same(linesOf(receiver.stdout()), ['before', 'meanwhile', 'after']);
  const after = (await operator.run(`status --dir ${operator.path('site')}`)).json;
  t.not(after.epoch, before.epoch, 'what the old one held is gone');
  t.equal(after.rosterVersion, before.rosterVersion);
});

t.test('the relay gets another identity: devices accept both for a while, then only the new one', async (t) => {
  const operator = makeOperator(t);
  const dir = `--dir ${operator.path('site')}`;
  cpSync(operator.path('site', 'relay'), operator.path('thief'), { recursive: true });
  const old = await operator.relay();
  const [oldPin] = settings(operator).relayPins;

  // 1. Made, and every device told of both.
  await operator.run(`provision replace-relay ${dir}`);
  t.equal(settings(operator).relayPins.length, 2);
  const tell = async () => {
    await operator.run(`provision profile --zone it --out ${operator.path('historian')} ${dir}`);
    await operator.run(`provision profile --zone ot --out ${operator.path('plc')} ${dir}`);
  };
  await tell();
  const { receiver, sender, delivers } = await inService(operator, 'with the old one');

  // 2. The relay takes it; the devices just go on.
  await operator.run(`provision replace-relay --finish ${dir}`);
  t.not(settings(operator).relayPins[0], oldPin);
  await stop(old);
  const relay = await operator.relay();
  await delivers('with the new one');
  await operator.run(`status ${dir}`);

  // 3. The devices forget the old one: whoever has its seed is nobody.
  await tell();
  for (const device of [sender, receiver]) device.child.kill('SIGHUP');
  await delivers('with the new one alone');
  await stop(relay);
  await operator.relay('thief');
  t.match(await operator.attempt(`status ${dir}`), { code: 3, json: { code: 'pin-mismatch' } });
  for (const { stderr } of [sender, receiver]) {
    await until('the refusal', () => stderr().includes('[pin-mismatch]'), stderr);
  }
  t.match(await operator.attempt(`provision replace-relay --finish ${dir}`), {
    code: 3,
    json: { code: 'key-missing' },
  });
});

t.test('the operator folder is lost, and the backup is old: the newest roster comes from a device', async (t) => {
  const operator = makeOperator(t);
  const dir = `--dir ${operator.path('site')}`;
  await operator.relay();
  cpSync(operator.path('site'), operator.path('backup'), { recursive: true });
  await operator.run(
    `provision device plc-2 --role send --zone ot --to historian --out ${operator.path('plc-2')} ${dir} --publish`,
  );
  await stop(await operator.receiver('historian', 'historian'));
  const { siteId } = settings(operator);
  rmSync(operator.path('site'), { recursive: true });
  cpSync(operator.path('backup'), operator.path('site'), { recursive: true });

  const refused = await operator.attempt(`provision publish ${dir}`);
  t.match(refused, { code: 1, json: { code: 'roster-older', detail: /version 3, the relay has 4/ } });
  const newest = operator.path('state', 'historian', siteId, 'historian', 'roster.json');
  copyFileSync(newest, join(operator.path('site', 'rosters'), '4.json'));
  copyFileSync(newest, operator.path('site', 'relay', 'roster.json'));
  t.match((await operator.run(`provision publish ${dir}`)).json, { version: 4 });
  t.match(
    (await operator.attempt(`provision rotate plc-2 --out ${operator.path('plc-2')} ${dir}`)).err,
    /use replace-device/,
  );
  t.match((await operator.run(`provision revoke plc-2 ${dir} --publish`)).json, { version: 5, changed: true });
  t.match((await operator.run(`status ${dir}`)).json, { rosterVersion: 5, registeredDevices: 1 });
});

t.test('the operator folder is lost without a backup: the site goes on until a new one takes its place', async (t) => {
  const operator = makeOperator(t);
  const old = await operator.relay();
  const [pin] = settings(operator).relayPins;
  cpSync(operator.path('site', 'relay'), operator.path('relay-host'), { recursive: true });
  rmSync(operator.path('site'), { recursive: true });
  const { receiver, sender } = await inService(operator, 'all the same');
  const asked = await operator.run(`status --url https://${operator.address}:3002 --pin ${pin}`);
  t.match(asked.json, { ok: true, status: 'ready', registeredDevices: 2 });
  for (const each of [sender, receiver, old]) await stop(each);

  const dir = `--dir ${operator.path('site')}`;
  await operator.run(
    `provision site plant-1 --url https://${operator.address}:3000 --interval 0.2 --block-size 65536 ${dir}`,
  );
  await operator.run(`provision device historian --role receive --zone it ${dir} --out ${operator.path('it')}`);
  await operator.run(`provision device plc --role send --zone ot --to historian ${dir} --out ${operator.path('ot')}`);
  await operator.relay();
  const cut = operator.sender('plc', 'plc');
  await until('the refusal', () => cut.stderr().includes('[pin-mismatch]'), cut.stderr);
  const fresh = await operator.receiver('historian', 'it');
  feed(operator.sender('plc', 'ot'), ['anew']);
  await until('the reading', () => fresh.stdout() === 'anew\n', fresh.stderr);
  t.pass('the new site delivers');
});
