/** A watched folder: files are taken when they are complete, put where they belong, and in nobody's way. */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { MAX_OPEN_FILES } from '../../tools/sender/file-source.ts';
import { realDisk, type SpoolDisk } from '../../tools/sender/spool-state.ts';
import { sameBytes } from '../fixtures/protocol.ts';
import { receipt } from '../fixtures/spool.ts';
import { chunkOf, deliver, NEVER, ROOM, scene } from '../fixtures/watch.ts';

t.setTimeout(120_000);

t.test('only files that stand still, and only files', async (t) => {
  const { folder, open, put, pass } = scene(t);
  const { watch, names, look } = open();
  for (const name of ['whole', '.hidden', 'a.tmp', 'a.part', 'a~', 'grows']) put(name);
  mkdirSync(join(folder, 'folder'));
  symlinkSync('whole', join(folder, 'link'));
  await watch.look(NEVER);
  t.notOk(watch.isIdle);
  pass(4999);
  appendFileSync(join(folder, 'grows'), 'more');
  await watch.look(NEVER);
  t.strictSame(names(), []);
  pass(1);
  await watch.look(NEVER);
  t.strictSame(names(), ['whole']);
  pass(4999);
  await watch.look(NEVER);
  t.strictSame(names(), ['whole', 'grows'], 'from when it stood still');
  await look();
  t.ok(watch.isIdle);
});

t.test('a delivered file moves away or is deleted; one of its name that comes later is another', async (t) => {
  const { folder, open, put } = scene(t);
  const one = open();
  put('report.csv', 'first');
  await one.look();
  const [chunk] = deliver(one);
  t.equal(chunk!.name, 'report.csv');
  sameBytes(t, chunk!.bytes, Buffer.from('first'));
  t.strictSame(readdirSync(join(folder, '.sent')), ['report.csv']);
  t.equal(open().outbox.size, 0, 'by then the spool knows, also after a kill');
  put('report.csv', 'second');
  await one.look();
  deliver(one);
  t.equal(readdirSync(join(folder, '.sent')).length, 2);
  t.match(one.files.counters, { filesDelivered: 2, filesFailed: 0 });
  t.strictSame(one.problems, []);

  const two = scene(t, { after: 'delete' });
  const sender = two.open();
  two.put('gone');
  await sender.look();
  deliver(sender);
  t.strictSame(readdirSync(two.folder).sort(), ['.quarantine', '.sent']);
});

t.test('nothing moves out of the folder, whoever put a link where delivered files go', async (t) => {
  const { folder, open, put } = scene(t);
  const one = open();
  const elsewhere = join(folder, '..', 'elsewhere');
  mkdirSync(elsewhere);
  for (const name of ['.sent', '.quarantine']) {
    rmSync(join(folder, name), { recursive: true });
    symlinkSync(elsewhere, join(folder, name));
  }
  put('report.csv');
  await one.look();
  deliver(one);
  t.match(one.problems.at(-1), { code: 'file-not-sent', detail: /report.csv was delivered and cannot be put away/ });
  t.strictSame(readdirSync(elsewhere), []);
  t.ok(existsSync(join(folder, 'report.csv')));
  rmSync(join(folder, '.sent'));
  one.outbox.settle();
  t.strictSame(readdirSync(join(folder, '.sent')), ['report.csv'], 'mended, it goes where it belongs');
});

t.test('killed between any two steps: the same group goes on, nothing is sent twice', async (t) => {
  const { folder, open, put } = scene(t);
  put('big', 'x'.repeat(4000));
  const one = open();
  await one.look();
  const first = chunkOf(one.outbox.nextBatch(ROOM));
  one.outbox.take({ type: 'fileChunk', record: first });
  one.outbox.confirm(receipt({ nextRecord: 1 }));
  one.spool.save();

  const two = open();
  await two.look();
  t.equal(two.files.all.length, 1, 'it is not taken again');
  const rest = [1, 2, 3].map(() => {
    const batch = two.outbox.nextBatch(ROOM);
    two.outbox.take(batch);
    return chunkOf(batch);
  });
  t.strictSame(
    rest.map(({ seq, group }) => [seq, group.index, group.count]),
    [
      [1, 1, 4],
      [2, 2, 4],
      [3, 3, 4],
    ],
  );
  sameBytes(t, rest[0]!.group.id, first.group.id);
  two.outbox.confirm(receipt({ nextRecord: 4 }));
  two.spool.save(); // killed before it was put away
  t.ok(existsSync(join(folder, 'big')));

  const three = open();
  t.equal(three.outbox.size, 0);
  await three.look();
  t.equal(three.files.all.length, 1, 'known as delivered');
  three.outbox.settle();
  t.strictSame(readdirSync(join(folder, '.sent')), ['big']);
  renameSync(join(folder, '.sent', 'big'), join(folder, 'big')); // killed before the spool forgot it

  const four = open();
  four.outbox.settle();
  t.notOk(existsSync(join(folder, 'big')));
  t.strictSame(four.outbox.nextBatch(ROOM), { type: 'idle' });
});

t.test('a file that changes or goes while it is sent is given up and said; what stands there now is new', async (t) => {
  const { folder, open, put } = scene(t);
  const sender = open();
  for (const name of ['changes', 'goes', 'stays']) put(name, 'x'.repeat(2000));
  await sender.look();
  sender.outbox.take(sender.outbox.nextBatch(ROOM));
  put('changes', 'y'.repeat(2000));
  utimesSync(join(folder, 'changes'), 1, 1);
  rmSync(join(folder, 'goes'));
  t.match(
    deliver(sender)
      .map(({ name }) => name)
      .sort(),
    /stays/,
  );
  t.match(sender.problems.map(({ code, detail }) => `${code} ${detail}`).sort(), [
    /^file-not-sent .*changes changed while it was sent: it counts as a new file/,
    /^file-not-sent .*goes went away before it was sent/,
  ]);
  t.match(sender.files.counters, { filesFailed: 2, filesDelivered: 1 });
  await sender.look();
  t.strictSame(sender.names(), ['changes'], 'it comes anew');
  t.strictSame(
    deliver(sender).map(({ group }) => group.index),
    [0, 1],
  );
});

t.test('what cannot be read is put aside, and what cannot be put aside is named once', async (t) => {
  const { folder, open, put } = scene(t);
  const sender = open();
  put('locked');
  put('fine');
  chmodSync(join(folder, 'locked'), 0);
  const asNobody = async (work: () => Promise<void>): Promise<void> => {
    const root = process.getuid?.() === 0;
    if (root) {
      for (const path of ['', 'fine', '.quarantine']) chownSync(join(folder, path), 65_534, 65_534);
      for (const path of [join(folder, '..'), join(folder, '..', 'spool')]) chmodSync(path, 0o777);
      chownSync(join(folder, '..', 'spool', 'state'), 65_534, 65_534);
      process.seteuid!(65_534);
    }
    try {
      await work();
    } finally {
      if (root) process.seteuid!(0);
    }
  };
  await asNobody(sender.look);
  t.strictSame(readdirSync(join(folder, '.quarantine')), ['locked']);
  t.match(sender.problems, [{ code: 'file-not-sent', detail: /locked cannot be read \(EACCES\)/ }]);
  t.strictSame(sender.names(), ['fine'], 'it stands in nobody’s way');

  put('stuck');
  chmodSync(join(folder, 'stuck'), 0);
  await asNobody(async () => {
    chmodSync(join(folder, '.quarantine'), 0);
    await sender.look();
    await sender.look();
  });
  t.equal(sender.problems.length, 2, 'once');
  t.equal(sender.watch.quarantined, 2);
  t.ok(sender.watch.isIdle);
});

t.test('a folder of many files costs bounded memory; the oldest go first, as many as may be open', async (t) => {
  const { folder, open, put } = scene(t);
  const sender = open();
  for (let i = 0; i < 5000; i++) {
    put(`file-${i}`, '');
    utimesSync(join(folder, `file-${i}`), 10_000 - i, 10_000 - i);
  }
  await sender.watch.look(NEVER);
  t.notOk(sender.watch.isIdle);
  await sender.look();
  await sender.look();
  const oldest = Array.from({ length: MAX_OPEN_FILES }, (_, i) => `file-${4999 - i}`);
  t.strictSame(sender.names(), oldest);
  deliver(sender);
  await sender.look();
  t.equal(sender.names()[0], `file-${4999 - MAX_OPEN_FILES}`);
});

t.test('a full spool lets files wait where they are', async (t) => {
  const { open, put, pass } = scene(t, { limitBytes: 1 });
  const sender = open();
  sender.admission.addRecord(Buffer.from('first'), 0);
  sender.admission.flush();
  put('waits');
  await sender.look();
  t.match(sender.problems, [{ code: 'spool-full' }]);
  t.strictSame(sender.names(), []);
  sender.spool.dropOldest(sender.outbox.inFlight);
  pass(1);
  await sender.watch.look(NEVER);
  t.strictSame(sender.names(), ['waits']);
});

t.test('a delivered file that cannot be put away stays open, is not sent again, and goes when it can', async (t) => {
  const { folder, open, put } = scene(t);
  const sender = open();
  rmSync(join(folder, '.sent'), { recursive: true });
  put('.sent', 'a file where the folder should be');
  put('report.csv', 'x');
  await sender.look();
  t.equal(deliver(sender).length, 1);
  t.match(sender.problems, [{ code: 'file-not-sent', detail: /report\.csv was delivered and cannot be put away/ }]);
  t.match(sender.files.counters, { filesDelivered: 0, filesFailed: 0 });
  await sender.look();
  t.equal(sender.outbox.nextBatch(ROOM).type, 'idle', 'it is not taken anew');
  rmSync(join(folder, '.sent'));
  mkdirSync(join(folder, '.sent'));
  sender.outbox.settle();
  t.strictSame(readdirSync(join(folder, '.sent')), ['report.csv']);
  t.match(sender.files.counters, { filesDelivered: 1 });
});

t.test('a file that a receiver refuses, or that is sent once and not confirmed, is put aside whole', async (t) => {
  for (const once of [false, true]) {
    const { folder, open, put } = scene(t, { once });
    const sender = open();
    put('refused', 'x'.repeat(3000));
    await sender.look();
    const { outbox } = sender;
    const blockSeq = outbox.take(outbox.nextBatch(ROOM));
    if (once) outbox.packAnew(blockSeq);
    else outbox.confirm(receipt({ rejects: [{ blockSeq, code: 'sink-refused' }] }));
    outbox.settle();
    t.strictSame(readdirSync(join(folder, '.quarantine')), ['refused']);
    t.match(
      { ...outbox.counters, ...sender.files.counters },
      { [once ? 'unconfirmed' : 'refused']: 3, filesFailed: 1 },
    );
    t.equal(outbox.size, 0);
    t.match(sender.problems, [{ detail: once ? /was not confirmed$/ : /was refused by a receiver$/ }]);
  }
});

t.test('a file whose entry cannot be written waits, and is then sent once', async (t) => {
  let isFull = false;
  const disk: SpoolDisk = {
    ...realDisk,
    sync: () => {
      if (isFull) throw Object.assign(new Error(''), { code: 'EIO' });
    },
  };
  const { open, put } = scene(t, { disk });
  const sender = open();
  put('a');
  isFull = true;
  await sender.look();
  t.match(sender.problems[0], { code: 'spool-failed', detail: /\(EIO\)/ });
  isFull = false;
  await sender.look();
  await sender.look();
  t.equal(deliver(sender).length, 1);
});
