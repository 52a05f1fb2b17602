/** The audit log of a whole relay: what its records tell, what senders and readers get, and what a restart keeps. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { verifyLogReceipt } from '../../protocol/log-receipt.ts';
import { blockCommitment, type LogEvent } from '../../protocol/log-record.ts';
import { toBase64Url, toHex } from '../../protocol/text.ts';
import { verifyChain } from '../fixtures/audit.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { openAs, runRelay, sealTo, sessionItem } from '../fixtures/relay.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

t.test('each thing that happens to a block is a record, and the sender has a receipt for the first', async (t) => {
  const site = smallPlant(t.testdir());
  const { relay, conduit, registered, ask } = await runRelay(t, site);
  const [from, to] = [site.device('plc'), site.device('historian')];
  const sender = await registered(from);
  const reader = await registered(to);
  const block = sealTo(from, [to]);
  const answer = await sender.submit(block);
  const id = itemOf(answer, 'accepted')!.transferId;
  const salt = itemOf(answer, 'commitSalt')!.salt;
  const claimed = await reader.claim([sessionItem()], 65_536);
  t.same(itemOf(claimed.items, 'commitSalt')!.salt, salt, 'the reader has the salt too');
  const { ackSecret } = openAs(site, to, block);
  await reader.ack([{ type: 'ack', transferId: id, ackSecret }]);
  for (let i = 0; i < 40; i++) await ask('ot', { path: '/v2/roster' });

  const [epoch] = conduit.audit.view.epochs;
  const { keys } = verifyEpoch(engine, epoch!.statement, relay.logPin);
  const receipt = verifyLogReceipt(engine, itemOf(answer, 'logReceipt')!.bytes, epoch!.origin, keys['ml-dsa-44']);
  await relay.close();
  const records = verifyChain(t, conduit.audit.view.epochs, relay.logPin);
  const about = records.filter(({ obj }) => 'x' in obj && obj.x === toHex(id));
  t.same(
    about.map(({ act }) => act),
    ['transfer.accepted', 'transfer.release', 'transfer.delivered'],
  );
  const [accepted] = about as [Extract<LogEvent, { act: 'transfer.accepted' }>];
  t.equal(accepted.i, receipt.index);
  t.equal(accepted.obj.c, blockCommitment(engine, salt, engine.sha256(block)));
  const probes = records.filter(({ act }) => act === 'probe');
  t.match(probes, [{ obj: { count: 40, kind: 'request' }, src: { k: 'peer', id: 'ot' } }], 'a flood is one record');
  const text = JSON.stringify(records);
  t.notOk(text.includes(toHex(engine.sha256(block))) || text.includes('127.0.0.1'), 'neither hashes nor addresses');
  t.equal(records.at(-1)!.act, 'log.epoch.close');
});

t.test('the next relay over the same tmpfs store keeps the log', async (t) => {
  const directory = t.testdir();
  const seedFile = join(directory, 'seed');
  writeFileSync(seedFile, toBase64Url(engine.random(32)), { mode: 0o600 });
  const site = smallPlant(directory, { seedFile, store: { kind: 'tmpfs', slots: 4, path: blocksFolder(t) } });
  const [from, to] = [site.device('plc'), site.device('historian')];
  const first = await runRelay(t, site);
  await first.registered(to);
  await (await first.registered(from)).submit(sealTo(from, [to]));
  await first.relay.close();
  const second = await runRelay(t, site);
  const records = verifyChain(t, second.conduit.audit.view.epochs.slice(0, 1), second.relay.logPin);
  t.equal(records.filter(({ act }) => act === 'transfer.accepted').length, 1);
  t.equal(second.conduit.audit.view.epochs.length, 2);
});
