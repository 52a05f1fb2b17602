/** The spool: what was taken is there at the next start, once, under its number, and nothing else is. */
import { readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { type FileEntry, SegmentCipher, type SpoolEntry, sealedBytes } from '../../tools/sender/spool-entry.ts';
import { COPY_BYTES } from '../../tools/sender/spool-state.ts';
import { sameBytes } from '../fixtures/protocol.ts';
import { seedOf } from '../fixtures/site.ts';
import { contents, openSpool, runAt, take } from '../fixtures/spool.ts';

const FILE: FileEntry = {
  kind: 'file',
  groupId: seedOf('group').subarray(0, 16),
  count: 3,
  chunkBytes: 10,
  size: 25,
  mtimeUs: 1_790_000_000_000_001,
  inode: 2 ** 52 + 1,
  sha256: seedOf('file'),
  after: 'delete',
  name: 'é.csv',
  path: Uint8Array.of(47, 0xff, 0xfe),
};

function segmentsIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.startsWith('segment-'));
}

t.setTimeout(120_000);

t.test('an entry is read as it was written, and only where it was written', async (t) => {
  const cipher = new SegmentCipher(engine, seedOf('key'), 7);
  const record: SpoolEntry = { kind: 'record', wallTimeMs: 5, bytes: Uint8Array.of(1, 2, 3) };
  const first = cipher.seal(record, 0, 0);
  const second = cipher.seal(FILE, first.length, 1);
  t.equal(first.length, sealedBytes(record));
  t.equal(second.length, sealedBytes(FILE));
  const bytes = Buffer.concat([first, second]);
  t.strictSame(
    cipher.scan(bytes).entries.map(({ ordinal, entry }) => [ordinal, structuredClone(entry)]),
    [
      [0, record],
      [1, FILE],
    ],
  );
  t.strictSame(cipher.scan(new Uint8Array(0)), { entries: [], damage: [], end: 0 });
  t.strictSame(cipher.scan(Buffer.concat([second, first])).entries, [], 'not in another place');
  t.strictSame(new SegmentCipher(engine, seedOf('key'), 8).scan(bytes).entries, [], 'not in another segment');
  t.strictSame(new SegmentCipher(engine, seedOf('other'), 7).scan(bytes).entries, [], 'not by another key');
  t.equal(cipher.scan(Buffer.concat([first, first])).entries.length, 1, 'not twice');
  const rest = cipher.scan(Buffer.concat([second, first]), first.length);
  t.match(rest, { entries: [{ ordinal: 1, end: bytes.length }], end: bytes.length + first.length });
  t.strictSame(
    rest.damage,
    [{ from: bytes.length, to: bytes.length + first.length }],
    'places are those of the segment',
  );
});

t.test('a spool goes on where it was: run, numbers, blocks, what was released', async (t) => {
  const folder = t.testdir();
  const one = openSpool(folder);
  take(one.spool, 'a', 'b', 'c');
  t.strictSame([one.spool.nextBlock(), one.spool.nextBlock()], [0, 1]);
  one.spool.release(1, 1);
  one.spool.save();
  take(one.spool, 'behind the last state');
  const two = openSpool(folder, { run: runAt(99) });
  t.strictSame(two.run, one.run);
  t.strictSame(contents(two.spool), { 0: 'a', 2: 'c', 3: 'behind the last state' });
  t.strictSame([two.spool.next, two.spool.nextBlock()], [4, 2]);
  take(two.spool, 'e');
  t.strictSame(contents(openSpool(folder).spool)[4], 'e');
  t.strictSame(two.problems, []);
});

t.test('who has only the folder reads nothing', async (t) => {
  const folder = t.testdir();
  const { spool } = openSpool(folder);
  take(spool, 'a very secret reading');
  spool.save();
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    t.notOk(readFileSync(path).includes('secret'), name);
    t.equal(statSync(path).mode & 0o777, 0o600, name);
  }
  const other = openSpool(folder, { key: (id) => engine.sha256(id) });
  t.strictSame(contents(other.spool), {});
});

t.test('a segment goes when all of it was released, and only then', async (t) => {
  const folder = t.testdir();
  const { spool } = openSpool(folder, { limitBytes: 1 });
  const big = 'x'.repeat(70_000);
  for (let i = 0; i < 4; i++) take(spool, big);
  t.equal(segmentsIn(folder).length, 4);
  t.ok(spool.full);
  spool.release(1, 2);
  spool.keep(2, 1, true);
  spool.collect();
  t.equal(segmentsIn(folder).length, 3, 'one is kept for its file');
  spool.keep(2, 1, false);
  spool.release(0, 1);
  spool.collect();
  t.equal(segmentsIn(folder).length, 1);
  t.strictSame(Object.keys(contents(openSpool(folder).spool)), ['3']);
});

t.test('a backlog that is larger than what is kept in memory comes back in order', async (t) => {
  const folder = t.testdir();
  const { spool } = openSpool(folder, { limitBytes: 1 });
  const texts = Array.from({ length: 900 }, (_, i) => `${i} ${'x'.repeat(1000)}`);
  for (let i = 0; i < texts.length; i += 10) take(spool, ...texts.slice(i, i + 10));
  t.ok(segmentsIn(folder).length > 10);
  t.strictSame(Object.values(contents(openSpool(folder).spool)), texts);
});

/** Flips byte `at` of a file for the time of `work`. */
function damaged(path: string, at: number, work: () => void): void {
  const bytes = readFileSync(path);
  const changed = Buffer.from(bytes);
  changed[at]! ^= 0x40;
  writeFileSync(path, changed);
  try {
    work();
  } finally {
    writeFileSync(path, bytes);
  }
}

/** A spool of two segments with six readings, of which number 1 is released. */
function smallSpool(t: Test) {
  const folder = t.testdir();
  const { spool, run } = openSpool(folder, { limitBytes: 1 });
  take(spool, 'zero', 'one', 'two');
  spool.nextBlock();
  take(spool, 'x'.repeat(66_000)); // the segment is full behind it
  take(spool, 'four', 'five');
  spool.release(1, 1);
  spool.release(3, 1);
  spool.save();
  return { folder, run, wanted: { 0: 'zero', 2: 'two', 4: 'four', 5: 'five' } as Record<number, string> };
}

t.test('any damaged byte of a segment costs at most the entry that it stands in, and is named once', async (t) => {
  const { folder, run, wanted } = smallSpool(t);
  const [first, second] = segmentsIn(folder).map((name) => join(folder, name));
  let tries = 0;
  for (const path of [first!, second!]) {
    const size = Math.min(statSync(path).size, 400);
    for (let at = 0; at < size; at++) {
      damaged(path, at, () => {
        const opened = openSpool(folder);
        const found = contents(opened.spool);
        contents(opened.spool);
        const missing = Object.keys(wanted).filter((number) => found[Number(number)] !== wanted[Number(number)]);
        if (missing.length > 1) t.fail(`byte ${at}: ${missing} are gone`);
        if (Object.keys(found).length + missing.length !== 4) t.fail(`byte ${at}: more came back than was there`);
        if (opened.spool.lost !== missing.length) t.fail(`byte ${at}: ${opened.spool.lost} are counted`);
        if (opened.problems.length !== 1) t.fail(`byte ${at}: ${opened.problems.map(({ detail }) => detail)}`);
        if (Buffer.compare(opened.run, run) !== 0) t.fail(`byte ${at}: a new run began`);
        if (opened.spool.next !== 6) t.fail(`byte ${at}: number ${opened.spool.next} comes next`);
      });
      tries += 1;
    }
  }
  t.ok(tries > 500, `${tries} bytes`);
});

t.test('of a segment that grew only the rest is read', async (t) => {
  const folder = t.testdir();
  const { spool, problems } = openSpool(folder);
  take(spool, 'a');
  t.ok(spool.at(0), 'it is in memory now');
  const path = join(folder, segmentsIn(folder)[0]!);
  const bytes = readFileSync(path);
  bytes[40]! ^= 1;
  writeFileSync(path, bytes);
  take(spool, 'b', 'c');
  t.strictSame(contents(spool), { 0: 'a', 1: 'b', 2: 'c' });
  t.strictSame(problems, [], 'nobody looked at the first again');
  const grown = readFileSync(path);
  take(spool, 'd');
  const again = readFileSync(path);
  again[grown.length + 40]! ^= 1;
  writeFileSync(path, again);
  t.strictSame(contents(spool), { 0: 'a', 1: 'b', 2: 'c' });
  t.match(problems, [{ code: 'spool-damaged' }], 'damage of the rest is named, once');
  t.match(problems[0]?.detail, new RegExp(`damaged at ${grown.length}, 1 records lost`));
  take(spool, 'e');
  t.strictSame(contents(spool), { 0: 'a', 1: 'b', 2: 'c', 4: 'e' });
  t.equal(problems.length, 1);
});

t.test('any damaged byte of one copy of the state changes nothing', async (t) => {
  const { folder, run, wanted } = smallSpool(t);
  const state = join(folder, 'state');
  for (const copy of [0, COPY_BYTES]) {
    for (let at = copy; at < copy + 280; at++) {
      damaged(state, at, () => {
        const { spool, run: found, problems } = openSpool(folder);
        const same = JSON.stringify(contents(spool)) === JSON.stringify(wanted);
        if (!same || Buffer.compare(found, run) !== 0 || problems.length > 0) t.fail(`byte ${at} counts`);
      });
    }
  }
  t.pass('every byte');
});

t.test('without any state a new run begins and everything that is there is in it', async (t) => {
  const { folder } = smallSpool(t);
  rmSync(join(folder, 'state'));
  const { spool, run, problems } = openSpool(folder, { run: runAt(2) });
  t.strictSame(run, runAt(2).run);
  t.match(problems, [{ code: 'spool-damaged', detail: /some may arrive twice/ }]);
  t.strictSame(
    Object.values(contents(spool)).map((text) => text.slice(0, 5)),
    ['zero', 'one', 'two', 'xxxxx', 'four', 'five'],
  );
  t.equal(spool.nextBlock(), 0);
  t.strictSame(openSpool(folder).problems, [], 'from then on it is whole');
});

t.test(
  'a segment that is cut off anywhere, or gone: what is missing is named, and no number comes again',
  async (t) => {
    const { folder, wanted } = smallSpool(t);
    const path = join(folder, segmentsIn(folder)[1]!);
    const bytes = readFileSync(path);
    for (let size = -1; size < bytes.length; size++) {
      writeFileSync(path, bytes);
      if (size < 0) renameSync(path, `${path}.away`);
      else truncateSync(path, size);
      const { spool, problems } = openSpool(folder);
      const found = Object.keys(contents(spool)).length;
      if (spool.lost !== Object.keys(wanted).length - found || spool.next < 6)
        t.fail(`${size}: ${found}, ${spool.next}`);
      if (problems.length !== 1) t.fail(`${size}: ${problems.length} problems`);
      take(spool, 'new');
      if (contents(openSpool(folder).spool)[6] !== 'new') t.fail(`${size}: nothing can be added`);
      rmSync(path, { force: true });
      for (const name of segmentsIn(folder).slice(1)) rmSync(join(folder, name));
      writeFileSync(path, bytes);
    }
    t.pass('at every byte');
  },
);

t.test('another stream: what waits is packed into its run, from number 0', async (t) => {
  const { folder } = smallSpool(t);
  const stream = seedOf('other stream').subarray(0, 16);
  const { spool, run } = openSpool(folder, { stream, run: runAt(5) });
  t.strictSame(run, runAt(5).run);
  t.strictSame(contents(spool), { 0: 'zero', 1: 'two', 2: 'four', 3: 'five' });
  t.equal(spool.nextBlock(), 0);
  take(spool, 'six');
  const again = openSpool(folder, { stream });
  t.strictSame(Object.values(contents(again.spool)), ['zero', 'two', 'four', 'five', 'six']);
  again.spool.forgetRun();
  t.strictSame(openSpool(folder, { stream, run: runAt(7) }).run, runAt(7).run, 'a run that is over does not go on');
});

t.test('a segment of before that comes back is not read again', async (t) => {
  const { folder } = smallSpool(t);
  const [first] = segmentsIn(folder);
  const bytes = readFileSync(join(folder, first!));
  const { spool } = openSpool(folder);
  spool.release(0, 4);
  spool.collect();
  t.equal(segmentsIn(folder).length, 1);
  writeFileSync(join(folder, first!), bytes);
  writeFileSync(join(folder, first!.replace('segment-000000000000000', 'segment-000000000000009')), bytes);
  t.strictSame(contents(openSpool(folder).spool), { 4: 'four', 5: 'five' });
  t.equal(segmentsIn(folder).length, 1);
});

t.test('files keep their place and their group', async (t) => {
  const folder = t.testdir();
  const { spool } = openSpool(folder);
  take(spool, 'before');
  spool.pending.add(FILE);
  take(spool, 'behind');
  const [file] = openSpool(folder).spool.files();
  t.equal(file!.first, 1);
  t.strictSame(structuredClone(file!.entry), FILE);
  sameBytes(t, (file!.entry as FileEntry).path, FILE.path);
  t.strictSame(contents(openSpool(folder).spool), { 0: 'before', 4: 'behind' });
});
