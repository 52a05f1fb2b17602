/** The outbox: a record leaves it by a receiver's receipt and in no other way. */
import t from 'tap';
import { REJECT_CODES, type RejectCode } from '../../protocol/problem.ts';
import type { DeliveryReceipt } from '../../protocol/receipt.ts';
import { type Batch, type FilePart, Outbox } from '../../tools/sender/outbox.ts';

const ROOM = 1000;

function makeOutbox(views = 1, maxBytes = 1_000_000): Outbox {
  return new Outbox({ views, maxBytes });
}

function add(outbox: Outbox, count: number, bytes = 10): void {
  for (let i = 0; i < count; i++) outbox.addRecord(new Uint8Array(bytes), 1000 + outbox.nextSeq);
}

/** Packs the next block as `blockSeq`, and lets relay run `epoch` take it until `deadlineMs`. */
function send(outbox: Outbox, blockSeq: number, epoch = 'one', deadlineMs = 100): Batch {
  const batch = outbox.nextBatch(ROOM);
  outbox.markSent(blockSeq, batch);
  outbox.markAccepted(blockSeq, epoch, deadlineMs);
  return batch;
}

function seqs(batch: Batch): number[] {
  if (batch.type === 'idle') return [];
  return batch.type === 'records' ? batch.records.map(({ seq }) => seq) : [batch.record.seq];
}

function receipt(changes: Partial<DeliveryReceipt>, receiver = 1): DeliveryReceipt {
  const none = new Uint8Array(0);
  const receiverDigest = new Uint8Array(32).fill(receiver);
  const same = { senderDigest: none, streamId: none, run: none, serial: 1 };
  return { receiverDigest, ...same, nextRecord: 0, ranges: [], rejects: [], ...changes };
}

function chunk(index: number): FilePart {
  const load = () => new Uint8Array(1);
  return { name: 'a', groupId: new Uint8Array(16), index, count: 2, wholeSha256: new Uint8Array(32), load };
}

t.test('a record is taken in, sent, and let go on a receipt', async (t) => {
  const outbox = makeOutbox();
  t.strictSame(outbox.nextBatch(ROOM), { type: 'idle' });
  t.equal(outbox.oldestMs, null);
  add(outbox, 3);
  t.strictSame([outbox.size, outbox.nextSeq, outbox.oldestMs], [3, 3, 1000]);
  t.strictSame(seqs(send(outbox, 0)), [0, 1, 2]);
  t.strictSame(send(outbox, 1), { type: 'idle' }, 'what was sent waits for nothing');
  outbox.confirm(receipt({ nextRecord: 2 }));
  t.strictSame([outbox.size, outbox.released], [1, 2]);
  outbox.confirm(receipt({ ranges: [{ first: 2, count: 1 }] }));
  t.strictSame([outbox.size, outbox.released, outbox.refused], [0, 3, 0]);
  outbox.packExpired(1e9);
  t.strictSame(send(outbox, 2), { type: 'idle' });
});

t.test('an older receipt takes nothing back', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 2);
  send(outbox, 0);
  outbox.confirm(receipt({ nextRecord: 1 }));
  outbox.confirm(receipt({ nextRecord: 0 }));
  t.equal(outbox.released, 1);
});

t.test('live readings go first, then the oldest of the backlog, in order within a block', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 10, 184); // five fit a block
  t.strictSame(seqs(send(outbox, 0)), [0, 1, 2, 3, 4]);
  add(outbox, 2, 184);
  t.strictSame(seqs(send(outbox, 1)), [5, 6, 7, 10, 11]);
  t.strictSame(seqs(send(outbox, 2)), [8, 9]);
});

t.test('a record that does not fit waits for the next block', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 1, 600);
  add(outbox, 1, 600);
  t.strictSame(seqs(send(outbox, 0)), [0]);
  t.strictSame(seqs(send(outbox, 1)), [1]);
});

t.test('chunks go alone, one a block', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 1);
  outbox.addChunk(chunk(0));
  outbox.addChunk(chunk(1));
  t.strictSame(
    [0, 1, 2, 3].map((blockSeq) => seqs(send(outbox, blockSeq))),
    [[0], [1], [2], []],
  );
  t.equal(outbox.oldestMs, 1000);
  outbox.confirm(receipt({ nextRecord: 3 }));
  t.strictSame([outbox.size, outbox.oldestMs], [0, null]);
});

t.test('a new run of the relay: what the old one held is packed anew', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 1);
  send(outbox, 0, 'one');
  add(outbox, 1);
  send(outbox, 1, 'one');
  add(outbox, 1);
  t.strictSame(seqs(send(outbox, 2, 'two')), [2]);
  t.strictSame(seqs(send(outbox, 3, 'two')), [0, 1]);
  outbox.confirm(receipt({ nextRecord: 3 }));
  t.equal(outbox.size, 0);
});

t.test('a block that nobody confirmed in time is packed anew, one that was not accepted is not', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 1);
  send(outbox, 0, 'one', 100);
  add(outbox, 1);
  outbox.markSent(1, outbox.nextBatch(ROOM));
  outbox.packExpired(99);
  t.strictSame(outbox.nextBatch(ROOM), { type: 'idle' });
  outbox.packExpired(100);
  t.strictSame(seqs(outbox.nextBatch(ROOM)), [0]);
  outbox.packAnew(1);
  outbox.packAnew(7);
  t.strictSame(seqs(send(outbox, 2)), [0, 1]);
});

t.test('with two views two receivers must confirm', async (t) => {
  const outbox = makeOutbox(2);
  add(outbox, 2);
  send(outbox, 0);
  outbox.confirm(receipt({ nextRecord: 2 }, 1));
  outbox.confirm(receipt({ nextRecord: 2 }, 1));
  t.equal(outbox.released, 0, 'the same one twice is not two');
  outbox.confirm(receipt({ nextRecord: 1 }, 2));
  t.equal(outbox.released, 1);
  outbox.confirm(receipt({ nextRecord: 2 }, 3));
  t.equal(outbox.released, 2);
});

t.test('rejects: some are packed anew, a refusal for good is counted once and let go', async (t) => {
  const rejected = (code: RejectCode): Outbox => {
    const outbox = makeOutbox();
    add(outbox, 1);
    send(outbox, 0);
    const reject = receipt({ rejects: [{ blockSeq: 0, code }] });
    outbox.confirm(reject);
    outbox.confirm(reject);
    return outbox;
  };
  for (const code of REJECT_CODES) {
    const outbox = rejected(code);
    const forGood = code === 'sink-refused' || code === 'unsupported';
    t.strictSame([outbox.size, outbox.refused, outbox.released], forGood ? [0, 1, 0] : [1, 0, 0], code);
    t.strictSame(seqs(outbox.nextBatch(ROOM)), forGood ? [] : [0], code);
  }
});

t.test('what one receiver committed is not refused by another', async (t) => {
  const outbox = makeOutbox();
  add(outbox, 2);
  send(outbox, 0);
  outbox.confirm(receipt({ nextRecord: 1 }, 1));
  outbox.confirm(receipt({ rejects: [{ blockSeq: 0, code: 'sink-refused' }] }, 2));
  t.strictSame([outbox.released, outbox.refused, outbox.size], [1, 1, 0]);
});

t.test('it is full by what it holds, tiny records included, and room comes back', async (t) => {
  const outbox = makeOutbox(1, 1000);
  add(outbox, 3, 0);
  t.equal(outbox.full, false);
  add(outbox, 1, 300);
  t.equal(outbox.full, true);
  send(outbox, 0);
  t.equal(outbox.full, true, 'sent is still held');
  outbox.confirm(receipt({ nextRecord: 4 }));
  t.equal(outbox.full, false);
});
