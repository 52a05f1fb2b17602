/** The relay dies after the receiver got a block and before the ack reaches it. */
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { lastJson, until } from '../fixtures/clients.ts';
import { Gate } from '../fixtures/gate.ts';
import { ProcessPlant } from '../fixtures/process-plant.ts';
import { blocksFolder } from '../fixtures/relay-process.ts';

t.setTimeout(120_000);

const BLOCK_BYTES = 65_536;

/** Lets the relay die there, alone or with the receiver, ends both clients when all is delivered; gives what happened. */
async function dieBetween(t: Test, store: object, receiverToo: boolean) {
  const plant = new ProcessPlant(t, { directory: t.testdir(), intervalMs: 200, store });
  await plant.startRelay();
  const gate = await Gate.to(t, plant.portOf('it'), BLOCK_BYTES);
  plant.addProfile('gate', gate.port);
  let receiver = plant.receiver('--relay', 'gate');
  const sender = plant.sender('--stdin');
  sender.child.stdin!.write('before\n');

  // 1. Claim by claim until the block with the reading is out; its ack stands at the gate.
  for (let claims = 0; plant.received().length === 0; claims++) {
    if (claims === 100) throw new Error(`no reading came: ${receiver.stderr()}`);
    gate.next();
    await until('the answer to a claim', () => gate.isShut, receiver.stderr);
    await sleep(100); // it commits, or waits for its next slot
  }
  const leased = plant.transfers.filter(({ type }) => type === 'leased').at(-1)!;
  const ackedBefore = plant.transfers.some(
    ({ type, transferId }) => type === 'acked' && transferId === leased.transferId,
  );

  // 2. The relay dies, and another one comes.
  await plant.relay.kill();
  if (receiverToo) {
    receiver.child.kill('SIGKILL');
    await receiver.ended;
    receiver = plant.receiver();
  }
  gate.openForGood();
  const diedAt = plant.transfers.length;
  await plant.startRelay();

  // 3. Everything else arrives.
  sender.child.stdin!.end('after\n');
  t.equal(await sender.ended, 0, sender.stderr());
  receiver.child.kill('SIGTERM');
  t.equal(await receiver.ended, 0, receiver.stderr());
  t.equal(ackedBefore, false, 'the relay died before the ack');
  t.same(
    plant.received().map(({ data }) => data),
    ['before', 'after'],
  );
  t.match(lastJson(sender.stdout()), { ok: true, records: 2, delivered: 2 });
  return { leased, later: plant.transfers.slice(diedAt), receiver: lastJson(receiver.stdout()) };
}

t.test('with a tmpfs store the ack goes to the next process, and nothing is sent again', async (t) => {
  const { leased, later, receiver } = await dieBetween(t, { kind: 'tmpfs', slots: 8, path: blocksFolder(t) }, false);
  const ofBlock = later.filter(({ transferId }) => transferId === leased.transferId).map(({ type }) => type);
  t.same(ofBlock, ['acked', 'burned']);
  t.match(receiver, { duplicates: 0, rejects: 0 });
});

t.test('with a slab the sender packs the reading anew, and a receiver that died too knows it', async (t) => {
  const { leased, later, receiver } = await dieBetween(t, { kind: 'slab', slots: 8 }, true);
  t.notOk(later.some(({ transferId }) => transferId === leased.transferId));
  t.match(receiver, { records: 1, rejects: 0 }, 'the new receiver wrote only what came after');
});
