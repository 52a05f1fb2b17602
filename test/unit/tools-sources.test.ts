/** Where readings come from, and the grid of slots: lines, files, the clock. */
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { Problem } from '../../protocol/problem.ts';
import { type Clock, monotonicClock, slots } from '../../tools/lib/slot-clock.ts';
import { addFile } from '../../tools/sender/file-source.ts';
import { readLines } from '../../tools/sender/line-source.ts';
import { type ChunkRecord, Outbox } from '../../tools/sender/outbox.ts';
import { refuses, sameBytes } from '../fixtures/protocol.ts';

/** A clock that only sleeping moves. */
function fakeClock() {
  const clock = {
    ms: 0,
    sleeps: [] as number[],
    now: () => clock.ms,
    sleep: async (ms: number) => {
      clock.sleeps.push(ms);
      clock.ms += Math.max(0, ms);
    },
  };
  return clock;
}

const NEVER = new AbortController().signal;

/** Takes `input` in; gives the lines and what was complained of. */
async function lines(input: Readable, options: { maxBytes?: number; signal?: AbortSignal; clock?: Clock } = {}) {
  const outbox = new Outbox({ maxBytes: options.maxBytes ?? 1_000_000, views: 1 });
  const problems: Problem[] = [];
  const given = { outbox, maxLineBytes: 8, clock: options.clock ?? fakeClock(), wallMs: () => 1234.5 };
  const read = readLines(input, { ...given, onProblem: (problem) => problems.push(problem) }, options.signal ?? NEVER);
  const tooLong = await read;
  const batch = outbox.nextBatch(1_000_000);
  const records = batch.type === 'records' ? batch.records : [];
  const texts = records.map(({ bytes }) => Buffer.from(bytes).toString());
  return { texts, tooLong, problems, times: [...new Set(records.map(({ wallTimeMs }) => wallTimeMs))] };
}

t.test('lines, however the stream is cut', async (t) => {
  const text = 'one\ntwo\r\n\nünf\nlast';
  const wanted = ['one', 'two\r', '', 'ünf', 'last'];
  for (const step of [1, 2, 3, 7, 100]) {
    const bytes = Buffer.from(text);
    const parts = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
      bytes.subarray(i * step, i * step + step),
    );
    const { texts, times } = await lines(Readable.from(parts));
    t.strictSame(texts, wanted, `${step} bytes at a time`);
    t.strictSame(times, [1234]);
  }
  t.strictSame((await lines(Readable.from([Buffer.from('a\n')]))).texts, ['a'], 'no empty line behind the last one');
});

t.test('a line that is too long is named and skipped, the others are not', async (t) => {
  const parts = ['12345678\n1234', '56789\nnext\n', 'x'.repeat(20), 'y'.repeat(20)].map((part) => Buffer.from(part));
  const { texts, tooLong, problems } = await lines(Readable.from(parts));
  t.strictSame(texts, ['12345678', 'next']);
  t.equal(tooLong, 2);
  t.strictSame(
    problems.map(({ code, detail }) => [code, detail]),
    [
      ['payload-invalid', 'line 2 has 9 bytes, the longest record has 8'],
      ['payload-invalid', 'line 4 has 40 bytes, the longest record has 8'],
    ],
  );
});

t.test('the source is not read while the outbox is full', async (t) => {
  const outbox = new Outbox({ maxBytes: 1, views: 1 });
  const input = Readable.from(['a\n', 'b\n', 'c\n'].map((text) => Buffer.from(text)));
  const clock = { now: () => 0, sleep: async () => confirmAll() };
  let waits = 0;
  const confirmAll = (): void => {
    waits += 1;
    const none = new Uint8Array(0);
    const receipt = { receiverDigest: none, senderDigest: none, streamId: none, run: none, serial: 1 };
    t.equal(outbox.size, 1, 'one line at a time');
    if (waits % 3 === 0) outbox.confirm({ ...receipt, nextRecord: outbox.nextSeq, ranges: [], rejects: [] });
  };
  const read = readLines(input, { outbox, maxLineBytes: 8, clock, wallMs: () => 0, onProblem: t.fail }, NEVER);
  await read;
  t.equal(waits, 9);
  t.equal(outbox.released, 3);
});

t.test('an abort ends the reading, before or while it runs, and half a line is no line', async (t) => {
  const early = new AbortController();
  early.abort();
  t.strictSame((await lines(new PassThrough(), { signal: early.signal })).texts, []);
  const late = new AbortController();
  const input = new PassThrough();
  input.write('whole\nha');
  setImmediate(() => setImmediate(() => late.abort()));
  t.strictSame((await lines(input, { signal: late.signal })).texts, ['whole']);
});

t.test('a source that breaks is no end of it', async (t) => {
  const input = new PassThrough();
  setImmediate(() => input.destroy(new Error('cable cut')));
  await t.rejects(lines(input), { message: 'cable cut' });
});

/** The chunks that `addFile` makes of a file with room for `room` bytes. */
function chunksOf(path: string, room: number): ChunkRecord['chunk'][] {
  const outbox = new Outbox({ maxBytes: 1e9, views: 1 });
  addFile(engine, path, room, outbox);
  return Array.from({ length: outbox.size }, (_, blockSeq) => {
    const batch = outbox.nextBatch(room);
    outbox.markSent(blockSeq, batch);
    return (batch as { record: ChunkRecord }).record.chunk;
  });
}

t.test('a file is cut into chunks that fit, and hashed whole', async (t) => {
  const folder = t.testdir();
  for (const size of [0, 1, 90, 91, 2_500_000]) {
    const path = join(folder, 'file.bin');
    const bytes = randomBytes(size);
    writeFileSync(path, bytes);
    const room = size > 1000 ? 1_000_000 : 100; // two bytes of length and eight of the name
    const chunks = chunksOf(path, room);
    t.equal(chunks.length, Math.max(1, Math.ceil(size / (room - 10))), `${size} bytes`);
    const loaded = chunks.map((chunk) => chunk.load());
    sameBytes(t, Buffer.concat(loaded), bytes);
    t.ok(loaded.every(({ length }) => length <= room - 10));
    t.strictSame(
      chunks.map(({ index }) => index),
      [...chunks.keys()],
    );
    for (const { name, count, groupId, wholeSha256 } of chunks) {
      t.strictSame([name, count, groupId], ['file.bin', chunks.length, chunks[0]!.groupId]);
      sameBytes(t, wholeSha256, createHash('sha256').update(bytes).digest());
    }
  }
});

t.test('a file that changes length while it is sent, goes away or is none', async (t) => {
  const folder = t.testdir({ file: 'x'.repeat(200), folder: {} });
  const path = join(folder, 'file');
  const [first] = chunksOf(path, 106);
  appendFileSync(path, 'more');
  t.throws(() => first!.load(), { message: /changed while it was sent: it had 200 bytes, now 204/ });
  refuses(t, 'file-invalid', () => chunksOf(join(folder, 'none'), 106));
  refuses(t, 'file-invalid', () => chunksOf(join(folder, 'folder'), 106));
  refuses(t, 'payload-invalid', () => chunksOf(join(folder, 'n'.repeat(256)), 1000));
});

t.test('slots open on a fixed grid; those that went by are skipped, never made up for', async (t) => {
  const clock = fakeClock();
  clock.ms = 5000;
  const stop = new AbortController();
  const busy = [0, 30, 250, 0, 100, 0];
  const opened: [slot: number, at: number][] = [];
  for await (const slot of slots(100, clock, stop.signal)) {
    opened.push([slot, clock.ms - 5000]);
    const work = busy[opened.length - 1];
    if (work === undefined) stop.abort();
    else clock.ms += work;
  }
  t.strictSame(opened, [
    [0, 0],
    [1, 100],
    [2, 200],
    [5, 500],
    [6, 600],
    [7, 700],
    [8, 800],
  ]);
});

t.test('an abort ends a slot clock that sleeps', async (t) => {
  const stop = new AbortController();
  const seen: number[] = [];
  for await (const slot of slots(3_600_000, monotonicClock, stop.signal)) {
    seen.push(slot);
    setImmediate(() => stop.abort());
  }
  t.strictSame(seen, [0]);
  for await (const _ of slots(1, monotonicClock, stop.signal)) t.fail('it is over');
});
