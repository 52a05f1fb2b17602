/** Every write of the spool broken off at any point: what was promised holds, what was not is whole or not there. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Admission } from '../../tools/sender/admission.ts';
import { OpenFiles } from '../../tools/sender/open-files.ts';
import { Outbox } from '../../tools/sender/outbox.ts';
import { COPY_BYTES, type SpoolDisk } from '../../tools/sender/spool-state.ts';
import { seedOf } from '../fixtures/site.ts';
import {
  contents,
  failingDisk,
  freshFolder,
  type Kept,
  openOutbox,
  openSpool,
  receipt,
  runAt,
  take,
} from '../fixtures/spool.ts';

const KEPT: readonly Kept[] = ['nothing', 'half', 'all'];
const BIG = 'x'.repeat(66_000);
const LIMIT = { limitBytes: 1 };

/** What a sender was promised until its disk failed. */
interface Promised {
  readonly taken: string[];
  /** Readings whose release may or must be known. */
  readonly released: Set<string>;
  readonly releasedForGood: Set<string>;
  blocks: number;
  /** Numbers up to which records were in blocks. */
  packed: number;
}

/** A day of a sender, in the order in which it writes. */
function live(folder: string, disk: SpoolDisk, promised: Promised): void {
  const { spool } = openSpool(folder, { ...LIMIT, disk });
  const add = (...texts: string[]): void => {
    take(spool, ...texts);
    promised.taken.push(...texts);
  };
  const pack = (): void => {
    const block = spool.nextBlock();
    if (block < promised.blocks) throw new Error(`block ${block} was given out twice`);
    promised.blocks = block + 1;
    promised.packed = spool.next;
    for (const text of promised.released) promised.releasedForGood.add(text);
  };
  const release = (number: number, text: string): void => {
    spool.release(number, 1);
    promised.released.add(text);
  };
  add('a', 'b');
  pack();
  add(BIG); // fills the segment
  add('d');
  release(0, 'a');
  release(1, 'b');
  pack();
  release(2, BIG);
  spool.collect(); // removes the first segment
  for (const text of promised.released) promised.releasedForGood.add(text);
  add('e');
  pack();
}

function run(folder: string, disk: SpoolDisk): { promised: Promised; died: boolean } {
  const promised = { taken: [], released: new Set(''), releasedForGood: new Set(''), blocks: 0, packed: 0 };
  try {
    live(folder, disk, promised);
    return { promised, died: false };
  } catch (thrown) {
    if (/twice/.test((thrown as Error).message)) throw thrown;
    return { promised, died: true };
  }
}

t.setTimeout(120_000);

t.test('a sender that dies at any write keeps its promises', async (t) => {
  const root = t.testdir();
  for (const kept of KEPT) {
    for (let at = 1; ; at++) {
      const folder = join(root, `${kept}-${at}`);
      const { promised, died } = run(folder, failingDisk(at, kept, true).disk);
      const { spool, problems } = openSpool(folder, LIMIT);
      const found = Object.values(contents(spool));
      const place = `${kept} of write ${at}`;
      for (const text of promised.taken) {
        const times = found.filter((each) => each === text).length;
        const least = promised.released.has(text) ? 0 : 1;
        const most = promised.releasedForGood.has(text) ? 0 : 1;
        if (times < least || times > most) t.fail(`${place}: ${text.slice(0, 9)} is there ${times} times`);
      }
      if (spool.next < promised.packed) t.fail(`${place}: number ${spool.next} comes again`);
      if (spool.nextBlock() < promised.blocks) t.fail(`${place}: a block number comes again`);
      const half = died && problems.length > 0 && promised.blocks + promised.taken.length > 0;
      if (half) t.fail(`${place}: ${problems.map(({ detail }) => detail)}`);
      take(spool, 'after');
      if (!Object.values(contents(openSpool(folder, LIMIT).spool)).includes('after')) t.fail(`${place}: stuck`);
      rmSync(folder, { recursive: true });
      if (!died) break;
    }
  }
  t.pass('at every write');
});

t.test('a write that fails alone costs nothing: the next one does it', async (t) => {
  const root = t.testdir();
  for (const kept of KEPT) {
    for (let at = 1; ; at++) {
      const folder = join(root, `${kept}-${at}`);
      const { disk, failed } = failingDisk(at, kept, false);
      const again = (work: () => void): void => {
        try {
          work();
        } catch {
          work();
        }
      };
      let opened: ReturnType<typeof openSpool> | undefined;
      again(() => {
        opened = openSpool(folder, { ...LIMIT, disk });
      });
      const { spool } = opened!;
      const blocks: number[] = [];
      for (const text of ['a', BIG, 'c']) {
        again(() => (spool.pending.count === 0 ? take(spool, text) : void spool.flush()));
        again(() => blocks.push(spool.nextBlock()));
      }
      const place = `${kept} of write ${at}`;
      for (const look of [spool, openSpool(folder, LIMIT).spool]) {
        if (JSON.stringify(contents(look)) !== JSON.stringify({ 0: 'a', 1: BIG, 2: 'c' })) t.fail(place);
      }
      if (new Set(blocks).size !== 3) t.fail(`${place}: blocks ${blocks}`);
      rmSync(folder, { recursive: true });
      if (!failed()) break;
    }
  }
  t.pass('at every write');
});

t.test('a sender that dies at any write while an earlier run is carried over packs each record once', async (t) => {
  const root = t.testdir();
  const stream = seedOf('new route').subarray(0, 16);
  for (const kept of KEPT) {
    for (let at = 1; ; at++) {
      const folder = join(root, `${kept}-${at}`);
      const { spool } = openSpool(folder, LIMIT);
      take(spool, 'a', 'released', BIG);
      take(spool, 'c', 'd');
      spool.release(1, 1);
      spool.save();
      const { disk, failed } = failingDisk(at, kept, true);
      try {
        openSpool(folder, { ...LIMIT, stream, run: runAt(2), disk });
      } catch {
        // it died
      }
      const again = openSpool(folder, { ...LIMIT, stream, run: runAt(3) });
      const found = Object.values(contents(again.spool));
      if (JSON.stringify(found) !== JSON.stringify(['a', BIG, 'c', 'd'])) {
        t.fail(`${kept} of write ${at}: ${found.map((text) => text.slice(0, 9))}`);
      }
      rmSync(folder, { recursive: true });
      if (!failed()) break;
    }
  }
  t.pass('at every write');
});

t.test('a full disk: each policy says so, does what it says, and goes on when there is room', async (t) => {
  for (const overflow of ['pause', 'drop-oldest', 'refuse'] as const) {
    let isFull = false;
    const real = failingDisk(0, 'all', false).disk;
    const disk: SpoolDisk = {
      ...real,
      write: (fd, bytes, position) => {
        const isState = position === 0 || position === COPY_BYTES; // or the first entry of a segment
        if (isFull && !isState) throw Object.assign(new Error(''), { code: 'ENOSPC' });
        real.write(fd, bytes, position);
      },
    };
    const { admission, outbox, problems, spool } = openOutbox(t, { overflow, disk });
    const add = (text: string): void => admission.addRecord(Buffer.from(text), 0);
    add('before');
    admission.flush();
    isFull = true;
    add('while it is full');
    admission.flush();
    t.match(problems[0], { code: 'spool-failed', detail: /cannot be written \(ENOSPC\)/ });
    t.equal(admission.mustWait, overflow === 'pause');
    add('next');
    isFull = false;
    admission.flush();
    add('after');
    admission.flush();
    t.notOk(admission.obstacle);
    const found = Object.values(contents(spool));
    const wanted = {
      pause: ['before', 'while it is full', 'next', 'after'],
      'drop-oldest': ['while it is full', 'next', 'after'],
      refuse: ['before', 'while it is full', 'after'],
    };
    t.strictSame(found, wanted[overflow], overflow);
    t.match(
      { ...admission.counters, ...outbox.counters },
      { turnedAway: overflow === 'refuse' ? 1 : 0, dropped: overflow === 'drop-oldest' ? 1 : 0 },
    );
  }
});

t.test('what is taken before there is an outbox is in it later, and what went by then is counted', async (t) => {
  const { spool, problems } = openSpool(freshFolder(t), { limitBytes: 200_000 });
  const onProblem = (problem: (typeof problems)[number]): void => void problems.push(problem);
  const admission = new Admission({ spool, overflow: 'drop-oldest', onProblem });
  for (const text of ['0', '1', '2', '3', '4']) {
    admission.addRecord(Buffer.from(text + 'x'.repeat(66_000)), 0);
    admission.flush();
  }
  const outbox = new Outbox({ spool, files: new OpenFiles(spool, onProblem), views: 1, once: false, onProblem });
  admission.deliverTo(outbox);
  const left = Object.values(contents(spool)).map((text) => text[0]);
  t.equal(left.at(-1), '4');
  t.strictSame([outbox.size, outbox.counters.dropped], [left.length, 5 - left.length]);
  t.ok(outbox.counters.dropped > 0);
  admission.addRecord(Buffer.from('after'), 0);
  admission.flush();
  t.equal(outbox.size + outbox.counters.dropped, 6);
});

t.test(
  'at the limit the oldest go that are in no block, counted; with none of them the new one is turned away',
  async (t) => {
    const { admission, outbox, spool, problems } = openOutbox(t, { overflow: 'drop-oldest', limitBytes: 200_000 });
    const add = (text: string): void => {
      admission.addRecord(Buffer.from(text + 'x'.repeat(66_000)), 0);
      admission.flush();
    };
    add('0');
    outbox.take(outbox.nextBatch(100_000));
    for (const text of ['1', '2', '3', '4']) add(text);
    t.strictSame(
      Object.values(contents(spool)).map((text) => text[0]),
      ['0', '2', '3', '4'],
      'what is on its way stays',
    );
    t.match(outbox.counters, { dropped: 1 });
    t.match(problems, [{ code: 'spool-full', detail: 'the spool has reached its limit of 200000 bytes' }]);
    for (let i = 0; i < 3; i++) outbox.take(outbox.nextBatch(100_000));
    add('5');
    t.match(admission.counters, { turnedAway: 1 });
    outbox.confirm(receipt({ nextRecord: 1 }));
    outbox.settle();
    add('6');
    t.match(admission.counters, { turnedAway: 1, records: 6 });
  },
);
