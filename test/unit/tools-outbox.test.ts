/** The outbox: a record leaves it by a receiver's receipt and in no other way. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { REJECT_CODES, type RejectCode } from '../../protocol/reject.ts';
import type { Batch } from '../../tools/sender/batch.ts';
import { takeFile } from '../../tools/sender/file-source.ts';
import type { Outbox } from '../../tools/sender/outbox.ts';
import { realDisk, type SpoolDisk } from '../../tools/sender/spool-state.ts';
import { openOutbox, receipt } from '../fixtures/spool.ts';

const ROOM = 1000;

type Sender = ReturnType<typeof openOutbox>;

function add({ admission, outbox, spool }: Sender, count: number, bytes = 10): void {
  for (let i = 0; i < count; i++) {
    admission.addRecord(new Uint8Array(bytes), 1000 + outbox.nextSeq + spool.pending.count);
  }
  admission.flush();
}

/** Packs the next block and lets relay run `epoch` take it until `deadlineMs`. */
function send(outbox: Outbox, epoch = 'one', deadlineMs = 100): Batch {
  const batch = outbox.nextBatch(ROOM);
  outbox.markAccepted(outbox.take(batch), epoch, deadlineMs);
  return batch;
}

function seqs(batch: Batch): number[] {
  if (batch.type === 'idle') return [];
  return batch.type === 'records' ? batch.records.map(({ seq }) => seq) : [batch.record.seq];
}

t.test('a record is taken in, sent, and let go on a receipt', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  t.strictSame(outbox.nextBatch(ROOM), { type: 'idle' });
  t.equal(outbox.oldestMs, null);
  add(sender, 3);
  t.strictSame([outbox.size, outbox.nextSeq, outbox.oldestMs], [3, 3, 1000]);
  t.strictSame(seqs(send(outbox)), [0, 1, 2]);
  t.strictSame(send(outbox), { type: 'idle' }, 'what was sent waits for nothing');
  outbox.confirm(receipt({ nextRecord: 2 }));
  t.strictSame([outbox.size, outbox.counters.delivered], [1, 2]);
  outbox.confirm(receipt({ ranges: [{ first: 2, count: 1 }] }));
  t.strictSame([outbox.size, outbox.counters.delivered, outbox.counters.refused], [0, 3, 0]);
  outbox.packExpired(1e9);
  t.strictSame(send(outbox), { type: 'idle' });
});

t.test('an older receipt takes nothing back', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 2);
  send(outbox);
  outbox.confirm(receipt({ nextRecord: 1 }));
  outbox.confirm(receipt({ nextRecord: 0 }));
  t.equal(outbox.counters.delivered, 1);
});

t.test('live readings go first, then the oldest of the backlog, in order within a block', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 10, 184); // five fit a block
  t.strictSame(seqs(send(outbox)), [0, 1, 2, 3, 4]);
  add(sender, 2, 184);
  t.strictSame(seqs(send(outbox)), [5, 6, 7, 10, 11]);
  t.strictSame(seqs(send(outbox)), [8, 9]);
});

t.test('a record that does not fit waits for the next block', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 1, 600);
  add(sender, 1, 600);
  t.strictSame(seqs(send(outbox)), [0]);
  t.strictSame(seqs(send(outbox)), [1]);
});

t.test('chunks go alone, one a block, and take turns with readings', async (t) => {
  const folder = t.testdir();
  const sender = openOutbox(t, { folder: join(folder, 'spool') });
  const { outbox, admission, files } = sender;
  add(sender, 1);
  const path = join(folder, 'a');
  writeFileSync(path, Buffer.alloc(2 * (ROOM - 3)));
  const options = { engine, admission, files, room: ROOM, after: 'keep' as const };
  await takeFile(
    Buffer.from(path),
    { ...options, clock: undefined as never, onProblem: t.fail },
    new AbortController().signal,
  );
  t.strictSame(seqs(send(outbox)), [0]);
  add(sender, 1);
  t.strictSame(
    [1, 2, 3, 4].map(() => seqs(send(outbox))),
    [[1], [3], [2], []],
  );
  t.equal(outbox.oldestMs, 1000);
  outbox.confirm(receipt({ nextRecord: 1, ranges: [{ first: 3, count: 1 }] }));
  t.strictSame([outbox.size, outbox.oldestMs], [2, null], 'a file has no time');
  outbox.confirm(receipt({ nextRecord: 4 }));
  t.equal(outbox.size, 0);
});

t.test('a new run of the relay: what the old one held is packed anew', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 1);
  send(outbox, 'one');
  add(sender, 1);
  send(outbox, 'one');
  add(sender, 1);
  t.strictSame(seqs(send(outbox, 'two')), [2]);
  t.strictSame(seqs(send(outbox, 'two')), [0, 1]);
  outbox.confirm(receipt({ nextRecord: 3 }));
  t.equal(outbox.size, 0);
});

t.test('a block that nobody confirmed in time is packed anew, one that was not accepted is not', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 1);
  send(outbox, 'one', 100);
  add(sender, 1);
  outbox.take(outbox.nextBatch(ROOM));
  outbox.packExpired(99);
  t.strictSame(outbox.nextBatch(ROOM), { type: 'idle' });
  outbox.packExpired(100);
  t.strictSame(seqs(outbox.nextBatch(ROOM)), [0]);
  outbox.packAnew(1);
  outbox.packAnew(7);
  t.strictSame(seqs(send(outbox)), [0, 1]);
});

t.test('with two views two receivers must confirm', async (t) => {
  const sender = openOutbox(t, { views: 2 });
  const { outbox } = sender;
  add(sender, 2);
  send(outbox);
  outbox.confirm(receipt({ nextRecord: 2 }, 1));
  outbox.confirm(receipt({ nextRecord: 2 }, 1));
  t.equal(outbox.counters.delivered, 0, 'the same one twice is not two');
  outbox.confirm(receipt({ nextRecord: 1 }, 2));
  t.equal(outbox.counters.delivered, 1);
  outbox.confirm(receipt({ nextRecord: 2 }, 3));
  t.equal(outbox.counters.delivered, 2);
});

t.test('rejects: some are packed anew, a refusal for good is counted once and let go', async (t) => {
  const rejected = (code: RejectCode): Outbox => {
    const sender = openOutbox(t);
    const { outbox } = sender;
    add(sender, 1);
    send(outbox);
    const reject = receipt({ rejects: [{ blockSeq: 0, code }] });
    outbox.confirm(reject);
    outbox.confirm(reject);
    return outbox;
  };
  for (const code of REJECT_CODES) {
    const outbox = rejected(code);
    const forGood = code === 'sink-refused' || code === 'unsupported';
    t.strictSame(
      [outbox.size, outbox.counters.refused, outbox.counters.delivered],
      forGood ? [0, 1, 0] : [1, 0, 0],
      code,
    );
    t.strictSame(seqs(outbox.nextBatch(ROOM)), forGood ? [] : [0], code);
  }
});

t.test('what one receiver committed is not refused by another', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 2);
  send(outbox);
  outbox.confirm(receipt({ nextRecord: 1 }, 1));
  outbox.confirm(receipt({ rejects: [{ blockSeq: 0, code: 'sink-refused' }] }, 2));
  t.strictSame([outbox.counters.delivered, outbox.counters.refused, outbox.size], [1, 1, 0]);
});

t.test('of one receiver’s refusal the others lose nothing', async (t) => {
  const sender = openOutbox(t, { views: 2 });
  const { outbox } = sender;
  add(sender, 1);
  send(outbox);
  const refusal = { rejects: [{ blockSeq: 0, code: 'sink-refused' as const }] };
  outbox.confirm(receipt(refusal, 1));
  outbox.confirm(receipt(refusal, 1));
  t.equal(outbox.size, 1, 'the other one has not answered');
  outbox.packAnew(0);
  send(outbox);
  outbox.confirm(receipt({ nextRecord: 1 }, 2));
  t.strictSame([outbox.counters.delivered, outbox.counters.refused, outbox.size], [0, 1, 0]);
});

t.test('a receipt for records that were never given out shows that the spool is older', async (t) => {
  const sender = openOutbox(t);
  const { outbox } = sender;
  add(sender, 2);
  send(outbox);
  for (const told of [{ nextRecord: 3 }, { nextRecord: 1, ranges: [{ first: 5, count: 1 }] }]) {
    t.throws(() => outbox.confirm(receipt(told)), { code: 'spool-older' });
  }
  t.equal(outbox.size, 2, 'nothing was let go');
});

t.test('with once a record is packed once, whatever happens, also over a kill', async (t) => {
  const folder = t.testdir();
  const sender = openOutbox(t, { folder, once: true });
  const { outbox } = sender;
  add(sender, 1);
  send(outbox);
  add(sender, 2);
  t.strictSame(seqs(send(outbox)), [1, 2]);
  outbox.packExpired(1e9);
  t.strictSame(seqs(send(outbox)), []);
  t.match(outbox.counters, { unconfirmed: 3, delivered: 0 });
  add(sender, 1);
  t.strictSame(seqs(send(outbox)), [3]);
  add(sender, 1);
  const after = openOutbox(t, { folder, once: true });
  t.strictSame(seqs(after.outbox.nextBatch(ROOM)), [4], 'the next process sends only what no block held');
});

t.test(
  'a reading that no block of the route can hold any more is dropped and named, and holds nobody up',
  async (t) => {
    const sender = openOutbox(t);
    add(sender, 1, 500);
    add(sender, 1, 10);
    t.strictSame(seqs(sender.outbox.nextBatch(400)), [1]);
    t.match(sender.problems, [{ code: 'payload-invalid', detail: /500 bytes does not fit .* takes 400 bytes/ }]);
    t.match(sender.outbox.counters, { dropped: 1 });
  },
);

t.test('a block whose number cannot be made durable is not begun: everything still waits', async (t) => {
  for (const once of [false, true]) {
    let isFull = false;
    const disk: SpoolDisk = {
      ...realDisk,
      sync: () => {
        if (isFull) throw Object.assign(new Error(''), { code: 'EIO' });
      },
    };
    const sender = openOutbox(t, { once, disk });
    add(sender, 2);
    isFull = true;
    const batch = sender.outbox.nextBatch(ROOM);
    t.throws(() => sender.outbox.take(batch), { code: 'spool-failed' });
    isFull = false;
    t.strictSame(seqs(send(sender.outbox)), [0, 1]);
    sender.outbox.confirm(receipt({ nextRecord: 2 }));
    t.match(sender.outbox.counters, { delivered: 2 });
  }
});
