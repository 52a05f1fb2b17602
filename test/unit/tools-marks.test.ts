/** Stream marks: what was received stays known over a restart, stays small, and what is damaged is refused. */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeRun } from '../../protocol/stream.ts';
import { StreamMarks } from '../../tools/receiver/stream-marks.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';
import { seedOf } from '../fixtures/site.ts';

const SENDER = seedOf('sender');
const STREAM = seedOf('stream').subarray(0, 16);

function run(number: number): Uint8Array {
  return encodeRun(number, seedOf(`run ${number}`));
}

t.test('new, new run, duplicate; the same after a restart', async (t) => {
  const folder = t.testdir();
  const before = new StreamMarks(folder).of(SENDER, STREAM);
  t.equal(before.standing({ run: run(1), blockSeq: 0 }), 'new-run');
  const mark = before.runMark(run(1));
  mark.blocks.add(0, 1);
  mark.records.add(0, 5);
  mark.rejects.push({ blockSeq: 0, code: 'sink-refused' });
  const serial = before.nextSerial(1000.5);
  before.save();

  const marks = new StreamMarks(folder);
  const after = marks.of(SENDER, STREAM);
  t.equal(marks.of(SENDER, STREAM), after);
  t.equal(after.standing({ run: run(1), blockSeq: 0 }), 'duplicate');
  t.equal(after.standing({ run: run(1), blockSeq: 1 }), 'new');
  t.equal(after.standing({ run: run(2), blockSeq: 0 }), 'new-run');
  t.equal(marks.of(SENDER, SENDER.subarray(16)).standing({ run: run(1), blockSeq: 0 }), 'new-run', 'another stream');
  const kept = after.runMark(run(1));
  t.strictSame([kept.records.next, kept.rejects], [5, [{ blockSeq: 0, code: 'sink-refused' }]]);
  t.equal(serial, 1000);
  t.equal(after.nextSerial(5), 1001, 'serials grow although the clock went back');
});

t.test('the mark keeps no view of the block that it learned a run from', async (t) => {
  const mark = new StreamMarks(t.testdir()).of(SENDER, STREAM);
  const block = Buffer.from(run(1));
  const { run: kept } = mark.runMark(block);
  block.fill(0);
  sameBytes(t, kept, run(1));
});

t.test('a run that was closed is a replay, and so is one older than all that are known', async (t) => {
  const folder = t.testdir();
  const mark = new StreamMarks(folder).of(SENDER, STREAM);
  for (let number = 100; number < 109; number++) mark.runMark(run(number));
  t.equal(mark.standing({ run: run(100), blockSeq: 0 }), 'replay');
  t.equal(mark.standing({ run: run(101), blockSeq: 0 }), 'new');
  t.equal(mark.standing({ run: run(7), blockSeq: 0 }), 'new-run', 'never seen, merely late');
  for (let number = 109; number < 109 + 1023; number++) mark.runMark(run(number));
  t.equal(mark.standing({ run: run(7), blockSeq: 0 }), 'replay', 'the list of closed runs is full');
  mark.save();
  t.equal(new StreamMarks(folder).of(SENDER, STREAM).standing({ run: run(100), blockSeq: 0 }), 'replay');
});

t.test('a stream that falls into pieces stays small, forgets no newer record and makes none up', async (t) => {
  const folder = t.testdir();
  const mark = new StreamMarks(folder).of(SENDER, STREAM);
  const { blocks } = mark.runMark(run(1));
  for (let i = 0; i < 600; i++) {
    blocks.add(i * 2, 1);
    mark.runMark(run(1)).records.add(i * 10, 3);
  }
  mark.save();
  const again = new StreamMarks(folder).of(SENDER, STREAM);
  const { records } = again.runMark(run(1));
  t.ok(records.ranges().length < 512);
  t.ok(records.hasAll(5990, 3));
  for (const { first, count } of records.ranges()) t.strictSame([first % 10, count], [0, 3]);
  t.equal(again.standing({ run: run(1), blockSeq: 1 }), 'duplicate', 'an old hole is closed');
  t.equal(again.standing({ run: run(1), blockSeq: 1197 }), 'new', 'a young one is not');
  const [file] = readdirSync(folder);
  t.ok(statSync(join(folder, file!)).size < 100_000);
});

t.test('a damaged mark stops the receiver: it guards from replays', async (t) => {
  const folder = t.testdir();
  const range = (first: number, count: number) => ({ first, count });
  const open = (blocks: object[]) => ({ run: '0'.repeat(32), blocks, records: [], rejects: [] });
  const damaged = [
    '',
    '{',
    '{}',
    JSON.stringify({ v: 1, serial: 0, open: [], closed: [] }),
    JSON.stringify({ v: 1, serial: 0, open: [open([range(5, 1), range(2, 1)])], closed: [] }),
    JSON.stringify({ v: 2, serial: 0, open: [open([])], closed: [] }),
  ];
  for (const text of damaged) {
    writeFileSync(join(folder, 'x.json'), text);
    refuses(t, 'file-invalid', () => new StreamMarks(folder), text);
  }
  writeFileSync(join(folder, 'x.json'), JSON.stringify({ v: 1, serial: 0, open: [open([range(0, 1)])], closed: [] }));
  t.ok(new StreamMarks(folder));
});
