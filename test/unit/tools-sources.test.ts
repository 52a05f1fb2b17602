/** Where readings come from, and the grid of slots: lines, the clock. */
import { PassThrough, Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { Problem } from '../../protocol/problem.ts';
import { type Clock, monotonicClock, slots } from '../../tools/lib/slot-clock.ts';
import { readLines } from '../../tools/sender/line-source.ts';
import { spoolFolder } from '../../tools/sender/options.ts';
import { seedOf } from '../fixtures/site.ts';
import { openOutbox, receipt } from '../fixtures/spool.ts';

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
async function lines(t: Test, input: Readable, options: { signal?: AbortSignal; clock?: Clock } = {}) {
  const { outbox, admission } = openOutbox(t);
  const problems: Problem[] = [];
  const given = { admission, maxLineBytes: 8, clock: options.clock ?? fakeClock(), wallMs: () => 1234.5 };
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
    const { texts, times } = await lines(t, Readable.from(parts));
    t.strictSame(texts, wanted, `${step} bytes at a time`);
    t.strictSame(times, [1234]);
  }
  t.strictSame((await lines(t, Readable.from([Buffer.from('a\n')]))).texts, ['a'], 'no empty line behind the last one');
});

t.test('a line that is too long is named and skipped, the others are not', async (t) => {
  const parts = ['12345678\n1234', '56789\nnext\n', 'x'.repeat(20), 'y'.repeat(20)].map((part) => Buffer.from(part));
  const { texts, tooLong, problems } = await lines(t, Readable.from(parts));
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

t.test('the source is not read while there is no room', async (t) => {
  const { outbox, admission, spool, problems } = openOutbox(t, { limitBytes: 1 });
  const input = Readable.from(['a\n', 'b\n', 'c\n'].map((text) => Buffer.from(text)));
  const clock = { now: () => 0, sleep: async () => confirmAll() };
  let waits = 0;
  const confirmAll = (): void => {
    waits += 1;
    admission.flush();
    t.equal(outbox.size, 1, 'one line at a time');
    if (waits % 3 !== 0) return;
    outbox.confirm(receipt({ nextRecord: outbox.nextSeq }));
    spool.dropOldest(outbox.inFlight);
  };
  await readLines(input, { admission, maxLineBytes: 8, clock, wallMs: () => 0, onProblem: t.fail }, NEVER);
  t.equal(waits, 9);
  t.equal(outbox.counters.delivered, 3);
  t.match(problems, [{ code: 'spool-full' }], 'it says why');
});

t.test('an abort ends the reading, before or while it runs, and half a line is no line', async (t) => {
  const early = new AbortController();
  early.abort();
  t.strictSame((await lines(t, new PassThrough(), { signal: early.signal })).texts, []);
  const late = new AbortController();
  const input = new PassThrough();
  input.write('whole\nha');
  setImmediate(() => setImmediate(() => late.abort()));
  t.strictSame((await lines(t, input, { signal: late.signal })).texts, ['whole']);
});

t.test('a source that breaks is no end of it', async (t) => {
  const input = new PassThrough();
  setImmediate(() => input.destroy(new Error('cable cut')));
  await t.rejects(lines(t, input), { message: 'cable cut' });
});

t.test('slots open on a fixed grid; those that went by are skipped, never made up for', async (t) => {
  const clock = fakeClock();
  clock.ms = 5020;
  const stop = new AbortController();
  const busy = [0, 30, 250, 0, 100, 0];
  const opened: [slot: number, at: number, missed: number][] = [];
  const prepared: [slot: number, at: number][] = [];
  const prepare = (number: number) => void prepared.push([number, clock.ms]);
  for await (const { number, missed } of slots({ intervalMs: 100, phaseMs: 7 }, clock, stop.signal, prepare)) {
    opened.push([number, clock.ms, missed]);
    const work = busy[opened.length - 1];
    if (work === undefined) stop.abort();
    else clock.ms += work;
  }
  t.strictSame(opened, [
    [51, 5107, 0],
    [52, 5207, 0],
    [53, 5307, 0],
    [56, 5607, 2],
    [57, 5707, 0],
    [58, 5807, 0],
    [59, 5907, 0],
  ]);
  t.strictSame(prepared.slice(0, 4), [
    [51, 5087],
    [52, 5187],
    [53, 5287],
    [56, 5587],
  ]);
});

t.test('a slot that opens too late to end in time is missed; one a little late is not', async (t) => {
  const clock = fakeClock();
  const stop = new AbortController();
  const late = new Map([
    [1, 20],
    [3, 30],
    [5, 100_000],
  ]);
  const opened: [slot: number, missed: number][] = [];
  const prepare = (number: number) => {
    clock.ms += late.get(number) === undefined ? 0 : 20 + late.get(number)!;
  };
  for await (const { number, missed } of slots({ intervalMs: 100, phaseMs: 0 }, clock, stop.signal, prepare)) {
    opened.push([number, missed]);
    if (number > 1000) stop.abort();
  }
  t.strictSame(opened, [
    [0, 0],
    [1, 0],
    [2, 0],
    [4, 1],
    [1005, 1000],
  ]);
});

t.test('an abort ends a slot clock that sleeps', async (t) => {
  const stop = new AbortController();
  const seen: number[] = [];
  setTimeout(() => stop.abort(), 60);
  for await (const { number } of slots({ intervalMs: 20, phaseMs: 0 }, monotonicClock, stop.signal, () => {})) {
    seen.push(number);
  }
  t.ok(seen.length > 0);
  for await (const _ of slots({ intervalMs: 1, phaseMs: 0 }, monotonicClock, stop.signal, () => {}))
    t.fail('it is over');
});

t.test('each device and each choice of receivers has a spool of its own', async (t) => {
  const folder = (device: string, ...to: string[]): string => spoolFolder(engine, 'base', seedOf(device), to);
  t.match(folder('a'), /^base\/[0-9a-f]{16}-route$/);
  t.equal(folder('a', 'x', 'y'), folder('a', 'y', 'x', 'y'), 'in any order');
  const all = [folder('a'), folder('b'), folder('a', 'x'), folder('a', 'y'), folder('b', 'x'), folder('a', 'x', 'y')];
  t.equal(new Set(all).size, all.length);
});
