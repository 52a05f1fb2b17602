import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { type DeliveryReceipt, parseReceipt, signReceipt } from '../../protocol/receipt.ts';
import { openRegistration } from '../../protocol/registration.ts';
import { MAX_RECEIPTS, RECEIPTS_PER_PAIR, Receipts } from '../../relay/members/receipts.ts';
import { Registry } from '../../relay/members/registry.ts';
import { RosterStore } from '../../relay/members/roster-store.ts';
import { smallPlant } from '../fixtures/plant.ts';
import type { SiteDevice } from '../fixtures/site.ts';

function start(t: Test, using = engine, most = MAX_RECEIPTS) {
  const site = smallPlant(t.testdir());
  const roster = new RosterStore(engine, site.rosterBytes, site);
  const registry = new Registry(engine, roster, { maxDevices: 9 });
  const trust = { operatorKeys: site.operator.publicKeys, siteId: site.siteId };
  const member = (name: string) => registry.register(openRegistration(engine, site.device(name).registration, trust));
  return { site, member, receipts: new Receipts(using, roster, most) };
}

function receipt(from: SiteDevice, to: SiteDevice, changes: Partial<DeliveryReceipt> = {}): Uint8Array {
  return signReceipt(engine, from.signer, {
    receiverDigest: from.digest,
    senderDigest: to.digest,
    streamId: new Uint8Array(16),
    run: new Uint8Array(16),
    serial: 1,
    nextRecord: 0,
    ranges: [],
    rejects: [],
    ...changes,
  });
}

const serials = (receipts: readonly Uint8Array[]) => receipts.map((bytes) => parseReceipt(bytes).serial);

t.test('the newest of each stream and receiver, round-robin', async (t) => {
  const { site, member, receipts } = start(t);
  const [plc, historian] = [site.device('plc'), site.device('historian')];
  const reader = member('historian');
  for (const stream of [1, 2, 3]) {
    receipts.keep(reader, receipt(historian, plc, { serial: stream, streamId: new Uint8Array(16).fill(stream) }));
  }
  t.same(serials(receipts.next(plc.did, 2)), [1, 2]);
  t.same(serials(receipts.next(plc.did, 2)), [3, 1]);
  receipts.keep(reader, receipt(historian, plc, { serial: 20, streamId: new Uint8Array(16).fill(2) }));
  receipts.keep(reader, receipt(historian, plc, { serial: 19, streamId: new Uint8Array(16).fill(2) }));
  t.same(
    serials(receipts.next(plc.did, 9)).toSorted((a, b) => a - b),
    [1, 3, 20],
  );
  t.same(receipts.next(site.device('plc2').did, 9), [], 'another sender gets none of them');
});

t.test('a receipt must be the own, verify, and be for a device of the roster', async (t) => {
  const { site, member, receipts } = start(t);
  const [plc, historian, mirror] = [site.device('plc'), site.device('historian'), site.device('mirror')];
  const reader = member('historian');
  const good = receipt(historian, plc);
  const forged = Uint8Array.from(good);
  forged[200]! ^= 1;
  t.throws(() => receipts.keep(reader, forged), { code: 'receipt-invalid' });
  t.throws(() => receipts.keep(reader, receipt(mirror, plc)), { code: 'receipt-invalid' });
  const inOtherName = signReceipt(engine, historian.signer, { ...parseReceipt(good), receiverDigest: mirror.digest });
  t.throws(() => receipts.keep(reader, inOtherName), { code: 'receipt-invalid', detail: /handed it in/ });
  t.throws(() => receipts.keep(reader, receipt(historian, site.stranger('x'))), { code: 'not-in-roster' });
  t.same(receipts.next(plc.did, 9), []);
});

t.test('what was longest not renewed goes first when there is too much', async (t) => {
  const { site, member, receipts } = start(t, { ...engine, verify: () => true }, 17);
  const [plc, historian, mirror] = ['plc', 'historian', 'mirror'].map((name) => site.device(name));
  const readers = [historian!, mirror!].map((device) => [device, member(device.name)] as const);
  const numbered = (from: SiteDevice, stream: number, serial: number) => {
    const bytes = Buffer.from(receipt(from, plc!));
    bytes.writeUInt32BE(stream, 68); // the stream id begins there
    bytes.writeBigUInt64BE(BigInt(serial), 100); // and the serial there
    return bytes;
  };
  const held = () => receipts.next(plc!.did, 99).map((bytes) => Buffer.from(bytes).readUInt32BE(68));
  const [[first, reader], [other, second]] = readers as [(typeof readers)[0], (typeof readers)[0]];
  receipts.keep(second, numbered(other, 99, 1));
  for (let stream = 0; stream < RECEIPTS_PER_PAIR; stream++) receipts.keep(reader, numbered(first, stream, 1));
  receipts.keep(reader, numbered(first, 0, 2));
  receipts.keep(reader, numbered(first, 50, 1));
  t.same(held().length, RECEIPTS_PER_PAIR + 1);
  t.notOk(held().includes(1), 'one receiver pushes out only its own');
  t.ok(held().includes(99) && held().includes(0) && held().includes(50));
  receipts.keep(second, numbered(other, 98, 1));
  t.equal(held().length, RECEIPTS_PER_PAIR + 1, 'all together are bounded too');
  t.notOk(held().includes(99), 'the one longest not renewed is gone');
});
