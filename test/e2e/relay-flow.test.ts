/** The life of a block at the relay, over real connections. */
import { createHash } from 'node:crypto';
import t from 'tap';
import { type ControlItem, itemOf } from '../../protocol/control.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseReceipt, signReceipt } from '../../protocol/receipt.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { smallPlant } from '../fixtures/plant.ts';
import { allWiped, openAs, runRelay, sealTo, sessionItem, streamOf } from '../fixtures/relay.ts';

const BLOCK = 65_536;

function ackItem(transferId: Uint8Array, ackSecret: Uint8Array): ControlItem {
  return { type: 'ack', transferId, ackSecret };
}

t.test('a block goes in, comes out, is acknowledged and burned', async (t) => {
  const site = smallPlant(t.testdir());
  const { conduit, registered, events } = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  const block = sealTo(plc, [historian], { plain: Buffer.from('42.0 degrees') });

  const accepted = itemOf(await sender.submit(block), 'accepted')!;
  t.equal(accepted.repeated, false);
  t.match(await sender.status(accepted.transferId), { state: 'waiting', attempts: 0 });

  const claimed = await reader.claim([sessionItem()], BLOCK);
  const lease = itemOf(claimed.items, 'lease')!;
  t.same(lease.transferId, accepted.transferId);
  t.same(lease.blockSha256, createHash('sha256').update(block).digest());
  t.equal(Buffer.compare(claimed.block, block), 0, 'byte for byte');
  const opened = openAs(site, historian, claimed.block);
  t.equal(Buffer.from(opened.plain).toString(), '42.0 degrees');

  const said = await reader.ack([ackItem(lease.transferId, opened.ackSecret)]);
  t.equal(itemOf(said, 'status')?.state, 'delivered');
  t.match(await sender.status(accepted.transferId), {
    state: 'delivered',
    views: [{ recipient: historian.did, state: 'delivered' }],
  });
  t.ok(await allWiped(conduit), 'every byte of every slot is overwritten');
  t.same(
    events.map(({ type }) => type),
    ['accepted', 'leased', 'acked', 'burned'],
  );
  const again = await reader.claim([sessionItem()], BLOCK);
  t.ok(itemOf(again.items, 'cover'));
  t.equal(again.block[0], 0, 'a cover is no block');
});

t.test('an ack in the next claim frees the lease before the next block is chosen', async (t) => {
  const site = smallPlant(t.testdir());
  const { registered } = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  await sender.submit(sealTo(plc, [historian]));
  await sender.submit(sealTo(plc, [historian]));
  const first = await reader.claim([sessionItem(1)], BLOCK);
  t.ok(itemOf((await reader.claim([sessionItem(1)], BLOCK)).items, 'cover'), 'one lease at a time was asked for');
  const { transferId } = itemOf(first.items, 'lease')!;
  const { ackSecret } = openAs(site, historian, first.block);
  const second = await reader.claim([sessionItem(1), ackItem(transferId, ackSecret)], BLOCK);
  t.equal(itemOf(second.items, 'status')?.state, 'delivered');
  t.not(toHex(itemOf(second.items, 'lease')!.transferId), toHex(transferId));
});

t.test('a submit that is repeated gets its first answer and takes no second slot', async (t) => {
  const site = smallPlant(t.testdir());
  const { conduit, registered } = await runRelay(t, site);
  const plc = site.device('plc');
  const sender = await registered(plc);
  await registered(site.device('historian'));
  const block = sealTo(plc, [site.device('historian')]);
  const first = itemOf(await sender.submit(block), 'accepted')!;
  const second = itemOf(await sender.submit(block), 'accepted')!;
  t.same(second, { type: 'accepted', transferId: first.transferId, repeated: true });
  t.equal(conduit.store.count().used, 1);
});

t.test('a repeated submit is answered even when no slot is free', async (t) => {
  const site = smallPlant(t.testdir(), { store: { slots: 1 } });
  const { registered } = await runRelay(t, site);
  const plc = site.device('plc');
  const sender = await registered(plc);
  await registered(site.device('historian'));
  const block = sealTo(plc, [site.device('historian')]);
  await sender.submit(block);
  t.equal(itemOf(await sender.submit(block), 'accepted')?.repeated, true);
});

t.test('by hash: range inside the lease, and the lease named in headers', async (t) => {
  const site = smallPlant(t.testdir());
  const { ask, registered } = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  await registered(historian);
  const block = sealTo(plc, [historian]);
  const { transferId } = itemOf(await sender.submit(block), 'accepted')!;
  const path = `/v2/outbound/${createHash('sha256').update(block).digest('hex')}`;
  const authorization = `Bearer ${historian.apiKey}`;

  const whole = await ask('it', { path, headers: { authorization } });
  t.match(whole, { status: 200, headers: { 'ghostpipe-transfer': toHex(transferId), 'ghostpipe-attempt': '1' } });
  t.equal(Buffer.compare(whole.body, block), 0);
  const rest = await ask('it', { path, headers: { authorization, range: 'bytes=60000-' } });
  t.match(rest, { status: 206, headers: { 'content-range': 'bytes 60000-65535/65536', 'ghostpipe-attempt': '1' } });
  t.equal(Buffer.compare(rest.body, block.subarray(60_000)), 0);
  const part = await ask('it', { path, headers: { authorization, range: 'bytes=0-9' } });
  t.equal(Buffer.compare(part.body, block.subarray(0, 10)), 0);
  for (const range of ['bytes=9-1', 'bytes=-5', 'bytes=0-65536', 'bytes=0-1,3-4', 'lines=1-2']) {
    const refused = await ask('it', { path, headers: { authorization, range } });
    t.match(JSON.parse(refused.body.toString()), { status: 416, code: 'range-invalid' }, range);
  }
  const session = 'ab'.repeat(16);
  const taken = await ask('it', { path, headers: { authorization, 'ghostpipe-session': session } });
  t.equal(taken.headers['ghostpipe-attempt'], '2', 'a session of its own begins a lease of its own');
});

t.test('burn at claim: read once, whatever becomes of the reader', async (t) => {
  const site = smallPlant(t.testdir());
  const { conduit, registered } = await runRelay(t, site);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  await sender.submit(sealTo(plc, [historian], { burnAtClaim: true }));
  const claimed = await reader.claim([sessionItem()], BLOCK);
  t.doesNotThrow(() => openAs(site, historian, claimed.block), 'the answer is whole although the block is burned');
  t.ok(itemOf((await reader.claim([sessionItem()], BLOCK)).items, 'cover'));
  t.ok(await allWiped(conduit));
});

t.test('time to live and lease, by a clock of the test', async (t) => {
  const site = smallPlant(t.testdir(), { limits: { leaseSeconds: 10 } });
  let clock = 0;
  const { conduit, registered } = await runRelay(t, site, { now: () => clock });
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  await sender.submit(sealTo(plc, [historian], { ttlSeconds: 60 }));
  const first = itemOf((await reader.claim([sessionItem()], BLOCK)).items, 'lease')!;
  clock = 10_000;
  const late = await reader.ack([{ type: 'reject', transferId: first.transferId, code: 'sink-refused' }]);
  t.equal(itemOf(late, 'problem')?.code, 'lease-expired');
  const claimed = await reader.claim([sessionItem()], BLOCK);
  t.equal(itemOf(claimed.items, 'lease')?.attempt, 2);
  const { ackSecret } = openAs(site, historian, claimed.block);
  clock = 60_000;
  const tooLate = await reader.ack([ackItem(first.transferId, ackSecret)]);
  t.equal(itemOf(tooLate, 'status')?.state, 'expired');
  t.match(await sender.status(first.transferId), { state: 'expired' });
  t.ok(await allWiped(conduit));
});

t.test('delete burns, and says how a transfer ended', async (t) => {
  const site = smallPlant(t.testdir());
  const { conduit, registered } = await runRelay(t, site);
  const plc = site.device('plc');
  const sender = await registered(plc);
  const other = await registered(site.device('plc2'));
  await registered(site.device('historian'));
  const { transferId } = itemOf(await sender.submit(sealTo(plc, [site.device('historian')])), 'accepted')!;
  await t.rejects(other.delete(transferId), { code: 'not-available' });
  await t.rejects(other.status(transferId), { code: 'not-available' });
  t.same(await sender.delete(transferId), { id: toHex(transferId), state: 'deleted' });
  t.match(await sender.status(transferId), { state: 'deleted' });
  t.ok(await allWiped(conduit));
});

t.test('delivery receipts reach the sender with its next submit, the newest only', async (t) => {
  const site = smallPlant(t.testdir());
  const { registered } = await runRelay(t, site);
  const [plc, historian, mirror] = [site.device('plc'), site.device('historian'), site.device('mirror')];
  const sender = await registered(plc);
  const reader = await registered(historian);
  const receiptOf = (serial: number, from = historian) =>
    signReceipt(engine, from.signer, {
      receiverDigest: from.digest,
      senderDigest: plc.digest,
      streamId: streamOf(plc, [historian]),
      run: new Uint8Array(16),
      serial,
      nextRecord: serial,
      ranges: [],
      rejects: [],
    });
  await reader.claim([sessionItem(), { type: 'receipt', bytes: receiptOf(1) }], BLOCK);
  await reader.ack([{ type: 'receipt', bytes: receiptOf(3) }]);
  await reader.ack([{ type: 'receipt', bytes: receiptOf(2) }]);
  const foreign = await reader.ack([{ type: 'receipt', bytes: receiptOf(9, mirror) }]);
  t.match(itemOf(foreign, 'problem'), { code: 'receipt-invalid', transferId: fromHex('00'.repeat(16), 16) });
  const answer = await sender.submit(sealTo(plc, [historian]));
  const receipts = answer.filter(({ type }) => type === 'receipt') as { bytes: Uint8Array }[];
  t.same(
    receipts.map(({ bytes }) => parseReceipt(bytes).serial),
    [3],
  );
});
