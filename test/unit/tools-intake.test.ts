/** The way of a block through a receiver: committed, then remembered, then acknowledged, in this order. */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { ackCommit, openBlock } from '../../protocol/envelope.ts';
import { encodeFileChunk, encodeIdle, encodeRecords } from '../../protocol/payload.ts';
import { Problem } from '../../protocol/problem.ts';
import { encodeRun, streamId } from '../../protocol/stream.ts';
import { toHex } from '../../protocol/text.ts';
import { SinkRefusal } from '../../tools/receiver/sink.ts';
import { lease, makeReceiver, receiptIn, records, seal, summary, TRANSFER } from '../fixtures/intake.ts';
import { type SiteDevice, seedOf } from '../fixtures/site.ts';

t.test('commit, mark, ack: in this order, and the ack proves that the block was opened', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  const block = records(receiver, 0, [0, 1, 2]);
  const copy = new Uint8Array(block);
  const items = await intake.take(block, lease(block));
  t.strictSame(receiver.log, ['commit 0,1,2 before the first mark']);
  t.match(JSON.parse(readFileSync(receiver.markPath, 'utf8')), { open: [{ records: [{ first: 0, count: 3 }] }] });
  t.equal(summary(items), 'ack, receipt');
  const { ackSecret } = items[0] as { ackSecret: Uint8Array };
  const reader = { kemKey: () => receiver.historian.kemKey, senderKeys: () => receiver.plc.signer.publicKeys };
  t.strictSame(
    ackCommit(engine, ackSecret),
    ackCommit(
      engine,
      openBlock(engine, copy, {
        ...reader,
        kemKey: (id) =>
          toHex(id) === toHex(receiver.historian.recipient.keyId) ? receiver.historian.kemKey : undefined,
      }).ackSecret,
    ),
  );
  t.match(receiptIn(items, receiver.historian), { nextRecord: 3, ranges: [], rejects: [], serial: 5000 });
  t.match(intake.counters, { blocks: 1, records: 3, duplicates: 0 });
});

t.test('the same block again, also after a restart, is acknowledged without the sink', async (t) => {
  const receiver = makeReceiver(t);
  const first = receiver.intake();
  const block = () => records(receiver, 0, [0, 1]);
  const given = block();
  await first.take(given, lease(given));
  receiver.log.length = 0;
  for (const intake of [first, receiver.intake()]) {
    const again = block();
    t.equal(summary(await intake.take(again, lease(again))), 'ack, receipt');
  }
  t.strictSame(receiver.log, ['said a block of plc came again; no record is taken twice']);
});

t.test('records that were packed anew reach the sink once', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  for (const [blockSeq, seqs] of [
    [0, [0, 1]],
    [2, [0, 1, 5]],
  ] as const) {
    const block = records(receiver, blockSeq, seqs);
    t.equal(summary(await intake.take(block, lease(block))), 'ack, receipt');
  }
  t.match(receiver.log, [
    'commit 0,1 before',
    'commit 5 after',
    'said 1 block and records 2 to 4 of the stream of plc are missing',
  ]);
  t.match(intake.counters, { records: 3, repeatedRecords: 2, missingBlocks: 1, missingRecords: 3 });
  receiver.clock.ms = 60_000;
  const late = records(receiver, 1, [2]);
  const receipt = receiptIn(await intake.take(late, lease(late)), receiver.historian);
  t.match(receipt, { nextRecord: 3, ranges: [{ first: 5, count: 1 }] });
  t.equal(receiver.log.at(-1), 'said records 3 to 4 of the stream of plc are missing');
});

t.test('a sink that fails is asked again; without more time nothing is said of the block', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  const failure = () => new Problem('sink-failed', 'disk full');
  receiver.failures.push();
  const first = records(receiver, 0, [0]);
  await intake.take(first, lease(first)); // learns the sender's keys
  receiver.failures.push(failure(), failure());
  const second = records(receiver, 1, [1]);
  t.equal(summary(await intake.take(second, lease(second))), 'ack, receipt');
  receiver.failures.push(failure(), failure(), failure());
  const third = records(receiver, 2, [2]);
  t.strictSame(await intake.take(third, lease(third)), []);
  t.equal(receiver.log.filter((line) => line.startsWith('commit')).length, 1 + 3 + 2);
  t.ok(receiver.log.some((line) => line.includes('disk full [sink-failed]')));
  const saved = JSON.parse(readFileSync(receiver.markPath, 'utf8'));
  t.match(saved.open[0].blocks, [{ first: 0, count: 2 }], 'the third is not marked');
});

t.test('what the sink refuses for good is rejected, and the receipt tells the sender', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  const first = records(receiver, 0, [0]);
  await intake.take(first, lease(first));
  receiver.failures.push(new SinkRefusal('not this'));
  const second = records(receiver, 1, [1]);
  const items = await intake.take(second, lease(second));
  t.equal(summary(items), 'reject sink-refused, receipt');
  t.match(receiptIn(items, receiver.historian), { nextRecord: 1, rejects: [{ blockSeq: 1, code: 'sink-refused' }] });
});

t.test('idle blocks, chunks, and types that are not for a receiver', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  const take = (block: Uint8Array) => intake.take(block, lease(block));
  const idle = encodeIdle({ sourceState: 'ok', backlogRecords: 0, backlogAgeMs: 0 });
  t.equal(summary(await take(seal(receiver, { type: 'idle' }, idle))), 'ack, receipt');
  const chunk = encodeFileChunk({ name: 'a', bytes: new Uint8Array(3) });
  for (const index of [0, 1]) {
    const group = { id: TRANSFER, index, count: 2, wholeSha256: seedOf('whole') };
    const fields = { type: 'fileChunk', blockSeq: 1 + index, firstRecord: index, recordCount: 1, group } as const;
    t.match(receiptIn(await take(seal(receiver, fields, chunk)), receiver.historian), { nextRecord: index + 1 });
    t.equal(summary(await take(seal(receiver, fields, chunk))), 'ack, receipt');
  }
  t.strictSame(
    receiver.log.filter((line) => line.startsWith('chunk')),
    ['chunk 0', 'chunk 1'],
  );
  t.match(intake.counters, { idleBlocks: 1, files: 1, duplicates: 2 });
  t.equal(summary(await take(seal(receiver, { type: 'selftest', blockSeq: 3 }, idle))), 'reject unsupported, receipt');
  t.equal(summary(await take(seal(receiver, { blockSeq: 4, recordCount: 9 }, idle))), 'reject cannot-open, receipt');
});

t.test('an old run that comes back is a replay', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  for (let number = 0; number < 9; number++) {
    const plain = encodeRecords([{ seq: 0, wallTimeMs: 0, bytes: new Uint8Array(0) }]);
    const block = seal(receiver, { run: encodeRun(number, seedOf('run')), recordCount: 1 }, plain);
    t.equal(summary(await intake.take(block, lease(block))), 'ack, receipt');
  }
  const old = seal(receiver, { run: encodeRun(0, seedOf('run')), blockSeq: 7 }, new Uint8Array(0));
  t.equal(summary(await intake.take(old, lease(old))), 'reject replay');
});

t.test('blocks that cannot be opened are rejected; one damaged on the way is left for a second try', async (t) => {
  const receiver = makeReceiver(t);
  const intake = receiver.intake();
  const good = records(receiver, 0, [0]);
  t.strictSame(await intake.take(good, lease(good, seedOf('other'))), []);
  t.match(receiver.log.at(-1)!, /\[hash-mismatch\]/);
  const foreign = records(receiver, 0, [0], { recipients: [receiver.backup.recipient], views: 1 });
  t.equal(summary(await intake.take(foreign, lease(foreign))), 'reject cannot-open');
  const stranger = receiver.site.stranger('mallory');
  const unknown = seal(receiver, { senderDigest: stranger.digest }, new Uint8Array(0), { signer: stranger.signer });
  const other = { ...lease(unknown), transferId: seedOf('other').subarray(0, 16) };
  t.strictSame(await intake.take(unknown, other), [], 'it may become known');
  receiver.membership.renewals += 1;
  t.equal(summary(await intake.takeAgain()), 'reject unknown-sender');
  t.equal(summary(await intake.take(good, lease(good))), 'ack, receipt');
});

t.test('a block of an unknown sender waits for the news of the next fixed time, once for each roster', async (t) => {
  const receiver = makeReceiver(t);
  const { site, directory, membership } = receiver;
  const intake = receiver.intake();
  const plain = encodeRecords([{ seq: 0, wallTimeMs: 0, bytes: new Uint8Array(0) }]);
  const take = (from: SiteDevice, blockSeq: number) => {
    const fields = { senderDigest: from.digest, recordCount: 1, blockSeq };
    const block = seal(receiver, fields, plain, { signer: from.signer });
    const transferId = seedOf(`${from.name} ${blockSeq}`).subarray(0, 16);
    return intake.take(block, { ...lease(block), transferId }).then(summary);
  };
  const mallory = site.stranger('mallory');
  const fresh = site.stranger('plc-B');
  t.equal(await take(mallory, 0), '', 'nothing is said of it yet');
  t.equal(await take(fresh, 0), '');
  t.strictSame(await intake.takeAgain(), []);

  const { name, did, roles, zone } = fresh;
  directory.acceptRoster(
    site.issueRoster({ version: 2, devices: [...site.roster.devices, { name, did, roles, zone }] }),
  );
  directory.acceptPeer(did, fresh.registration);
  membership.renewals += 1;
  t.equal(summary(await intake.takeAgain()), 'ack, receipt', 'one is known now, the other gets another chance');
  t.strictSame(await intake.takeAgain(), [], 'each once');
  t.strictSame(await intake.takeAgain(), []);
  membership.renewals += 1;
  t.equal(summary(await intake.takeAgain()), 'reject unknown-sender');
  t.equal(await take(mallory, 1), 'reject unknown-sender', 'at once');
});

t.test(
  'a block of a sender that the roster names waits until its keys come, however many exchanges that takes',
  async (t) => {
    const receiver = makeReceiver(t);
    const { site, directory, membership } = receiver;
    const intake = receiver.intake();
    const fresh = site.stranger('plc-B');
    const { name, did, roles, zone } = fresh;
    directory.acceptRoster(
      site.issueRoster({ version: 2, devices: [...site.roster.devices, { name, did, roles, zone }] }),
    );
    const plain = encodeRecords([{ seq: 0, wallTimeMs: 0, bytes: new Uint8Array(0) }]);
    const fields = { senderDigest: fresh.digest, recordCount: 1 };
    const block = seal(receiver, fields, plain, { signer: fresh.signer });
    t.equal(summary(await intake.take(block, lease(block))), '');
    for (let exchange = 0; exchange < 5; exchange++) {
      membership.renewals += 1;
      t.strictSame(await intake.takeAgain(), [], 'the keys of others came first');
    }
    directory.acceptPeer(did, fresh.registration);
    membership.renewals += 1;
    t.equal(summary(await intake.takeAgain()), 'ack, receipt');
  },
);

t.test('holes are no news where another reader may have taken the block, or the route ended', async (t) => {
  const receiver = makeReceiver(t, 1);
  const intake = receiver.intake();
  const take = (block: Uint8Array) => intake.take(block, lease(block));
  await take(records(receiver, 0, [0]));
  await take(records(receiver, 4, [4], { views: 1 }));
  t.equal(intake.counters.missingBlocks, 0);
  receiver.directory.acceptRoster(receiver.site.issueRoster({ version: 2, routes: [] }));
  t.equal(summary(await take(records(receiver, 6, [6]))), 'ack, receipt');
  t.equal(intake.counters.missingBlocks, 0);
  const own = streamId(receiver.plc.digest, [receiver.historian.digest]);
  const alone = { recipients: [receiver.historian.recipient], views: 1 };
  const idle = encodeIdle({ sourceState: 'ok', backlogRecords: 0, backlogAgeMs: 0 });
  await take(seal(receiver, { type: 'idle', streamId: own, blockSeq: 3 }, idle, alone));
  t.equal(intake.counters.missingBlocks, 3, 'a stream for it alone has no other reader');
});

t.test('a receipt always speaks of the records of its block, however old', async (t) => {
  const receiver = makeReceiver(t, 1);
  const intake = receiver.intake();
  const take = (blockSeq: number, seq: number) => {
    const block = records(receiver, blockSeq, [seq], { views: 1 });
    return intake.take(block, lease(block));
  };
  for (let i = 1; i <= 20; i++) await take(i, i * 10);
  const { ranges } = receiptIn(await take(21, 10), receiver.historian); // packed anew, as its receipt was lost
  t.equal(ranges.length, 16);
  t.strictSame(
    [ranges[0], ranges.at(-1)],
    [
      { first: 10, count: 1 },
      { first: 200, count: 1 },
    ],
  );
});
