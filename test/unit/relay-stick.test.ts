/** The stick: what it promises in each mode, what stands on it, and what is said when it is not as it should be. */
import t, { type Test } from 'tap';
import { spkiOf } from '../../protocol/engine/der.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { pinOf } from '../../protocol/text.ts';
import { ADOPTED, openingOf, recordsOf, verifyAll } from '../fixtures/audit.ts';
import { MemoryStick } from '../fixtures/memory-stick.ts';
import { seed } from '../fixtures/protocol.ts';
import { startOnStick } from '../fixtures/stick.ts';

type Started = Awaited<ReturnType<typeof startOnStick>>;

/** What the log says of its stick, as `action value result`. */
function told({ sequencer }: Started): string[] {
  return sequencer.epochs.flatMap(recordsOf).flatMap((record) => {
    if (record.act === 'log.mode') return `mode ${record.obj.mode}`;
    if (record.act === 'log.storage') return `storage ${record.obj.state} ${record.res}`;
    return record.act.startsWith('stick.') || record.act === 'import.prev' ? `${record.act} ${record.res}` : [];
  });
}

async function fill(log: Started, count: number): Promise<void> {
  for (let i = 0; i < count; i++) log.sequencer.record(ADOPTED);
  await log.stick.settled();
  await new Promise(setImmediate);
}

t.test('a record is durable before anybody is answered, and the next process finds it', async (t) => {
  const disk = new MemoryStick();
  const log = await startOnStick(disk);
  t.equal(log.sequencer.mode, 'required');
  await fill(log, 700);
  const { index } = log.sequencer.record(ADOPTED);
  t.equal(await log.stick.settled(), 'durable');
  await log.pass(30_000);
  t.same(log.findings, []);
  t.equal(log.stick.unarchived, 0);
  const next = await startOnStick(disk.cut(0));
  const [before, epoch] = next.sequencer.epochs;
  t.ok(before!.tail!.size > index);
  verifyAll(t, before!);
  const { prev } = openingOf(epoch!);
  t.match(prev, { source: 'stick', origin: before!.origin, tailSize: before!.tail!.size });
  t.match(next.findings, [/goes on after relay-1.audit/]);
  t.same(told(next), ['stick.attached success', 'storage ready success', 'mode required'].slice(0, told(next).length));
});

t.test('a head is published only when it and all that it covers is durable', async (t) => {
  const disk = new MemoryStick();
  const log = await startOnStick(disk);
  await log.pass(0);
  const { length } = log.sequencer.epochs[0]!.heads;
  let go = (): void => {};
  disk.pace = () => new Promise((resolve) => (go = resolve));
  log.sequencer.record(ADOPTED);
  log.clock.now += 30_000;
  log.sequencer.tick();
  await new Promise(setImmediate);
  t.equal(log.sequencer.epochs[0]!.heads.length, length, 'while the stick takes its time there is none');
  disk.pace = async () => {};
  go();
  await log.stick.settled();
  await new Promise(setImmediate);
  t.equal(log.sequencer.epochs[0]!.heads.length, length + 1);
});

t.test('while it runs nothing but the bytes of segments changes, until a bundle is full', async (t) => {
  const disk = new MemoryStick();
  const log = await startOnStick(disk);
  await fill(log, 10);
  const before = disk.steps.length;
  for (let i = 0; i < 200; i++) await fill(log, 1);
  t.same(new Set(disk.steps.slice(before)), new Set(['write', 'sync']));
  const sizes = disk.files.filter((path) => path.includes('journal/'));
  for (let i = 0; i < 1200; i++) await fill(log, 1);
  t.same(
    disk.files.filter((path) => path.includes('journal/')),
    sizes,
    'two segments in turn',
  );
  t.equal(disk.files.filter((path) => path.includes('tile/entries/')).length, 5);
});

t.test('an epoch that ended is a whole folder without a journal', async (t) => {
  const disk = new MemoryStick();
  const log = await startOnStick(disk, { maxLeaves: 300 });
  await fill(log, 320);
  await log.sequencer.close();
  await log.stick.close();
  for (const { origin, tail } of log.sequencer.epochs) {
    const folder = `epochs/${origin.split('/').at(-1)}`;
    const files = disk.files.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length + 1));
    const width = tail!.size % 256;
    const tiles = tail!.size > 256 ? ['000', `001.p/${width}`] : [`000.p/${width}`];
    const upper = tail!.size > 256 ? ['tile/1/000.p/1'] : [];
    const wanted = [
      'checkpoint',
      'epoch',
      'vkeys.txt',
      `checkpoints/${tail!.size}`,
      ...tiles.flatMap((tile) => [`tile/0/${tile}`, `tile/entries/${tile}`]),
      ...upper,
    ];
    t.same(
      wanted.filter((path) => !files.includes(path)),
      [],
    );
    t.same(
      files.filter((path) => path.startsWith('journal')),
      [],
    );
  }
});

t.test('a stick that is missing at the start, comes, goes, and comes back', async (t) => {
  const disk = new MemoryStick();
  const first = await startOnStick(disk);
  await fill(first, 3);
  await first.sequencer.close();
  await first.stick.close();
  disk.isThere = false;
  const log = await startOnStick(disk);
  t.equal(log.sequencer.mode, 'required-degraded');
  t.match(log.sequencer.alarm, /degraded since 2027-.*: the stick is missing, 3 records are not on it, no new block/);
  t.equal(await log.stick.settled(), 'ram');
  t.same(openingOf(log.sequencer.epochs[0]!).prev, { source: 'none' });
  disk.isThere = true;
  await log.pass(2000);
  t.equal(log.sequencer.mode, 'required');
  t.equal(log.sequencer.alarm, null);
  disk.isThere = false;
  log.sequencer.record(ADOPTED);
  t.equal(await log.stick.settled(), 'ram', 'nobody waits for what is gone');
  await fill(log, 2000);
  disk.isThere = true;
  await log.pass(2000);
  t.equal(await log.stick.settled(), 'durable');
  t.equal(log.stick.unarchived, 0, 'what it missed is there');
  await log.pass(30_000);
  t.same(told(log), [
    'storage missing failure',
    'mode required-degraded',
    'stick.attached success',
    'import.prev success',
    'storage ready success',
    'mode required',
    'stick.removed success',
    'storage missing failure',
    'mode required-degraded',
    'stick.attached success',
    'storage ready success',
    'mode required',
  ]);
  const next = await startOnStick(disk.cut(0));
  const [written] = log.epochs.kept;
  t.equal(next.epochs.kept.find(({ origin }) => origin === written!.origin)!.size, written!.size);
});

t.test('a stick that is full, read-only or failing has that name, and is not filled by trying', async (t) => {
  for (const [code, state] of [
    ['ENOSPC', 'full'],
    ['EROFS', 'read-only'],
    ['EIO', 'failing'],
  ] as const) {
    const disk = new MemoryStick();
    const log = await startOnStick(disk);
    await fill(log, 5);
    disk.faultAt = (_, step) => (step === 'write' || step === 'sync' ? { kept: false, code } : undefined);
    log.sequencer.record(ADOPTED);
    t.equal(await log.stick.settled(), 'ram');
    t.match(log.sequencer.alarm, `the stick is ${state}`);
    for (let i = 0; i < 20; i++) await log.pass(2000);
    t.ok(disk.files.filter((path) => path.includes('journal/')).length <= 3, 'as many files as before');
    const { size } = log.epochs.newest!;
    t.equal(told(log).filter((line) => line === `storage ${state} failure`).length, 1, 'told once');
    disk.faultAt = () => undefined;
    await log.pass(2000);
    t.equal(log.sequencer.mode, 'required');
    t.ok(log.epochs.newest!.size < size + 10);
    await fill(log, 300);
    t.equal(disk.files.filter((path) => path.includes('journal/0')).length, 2, 'the segments of before are gone');
    const next = await startOnStick(disk.cut(0));
    t.equal(next.epochs.kept[0]!.size, log.epochs.newest!.size);
  }
});

t.test('a stick that takes too long holds nobody, and is used again once it answers', async (t) => {
  const disk = new MemoryStick();
  const log = await startOnStick(disk);
  await fill(log, 5);
  let go = (): void => {};
  disk.pace = () => new Promise((resolve) => (go = resolve));
  log.sequencer.record(ADOPTED);
  const kept = log.stick.settled();
  await log.pass(4000);
  t.equal(log.sequencer.mode, 'required');
  await log.pass(1000);
  t.equal(await kept, 'ram');
  t.match(log.sequencer.alarm, /the stick is failing/);
  disk.pace = async () => {};
  go();
  await log.pass(2000);
  await log.pass(0);
  t.equal(log.sequencer.mode, 'required');
  const next = await startOnStick(disk.cut(0));
  t.equal(next.epochs.kept[0]!.size, log.epochs.newest!.size);
});

t.test('best-effort waits for nothing, and writes at the next tick', async (t) => {
  const disk = new MemoryStick();
  const log = await startOnStick(disk, { mode: 'best-effort' });
  const before = disk.steps.length;
  log.sequencer.record(ADOPTED);
  t.equal(await log.stick.settled(), 'ram');
  t.equal(disk.steps.length, before);
  await log.pass(250);
  t.equal(log.stick.unarchived, 0);
  t.equal(log.sequencer.mode, 'best-effort');
  disk.isThere = false;
  log.sequencer.record(ADOPTED);
  await log.pass(250);
  t.match(log.sequencer.alarm, /the stick is missing, 3 records are not on it, a power cut would lose them|not on it/);
  t.ok(log.stick.unarchived > 0);
  await log.stick.close();
});

t.test('the stick of another relay is not written', async (t) => {
  const logSeed = seed('another relay');
  const logPin = pinOf(spkiOf('ml-dsa-65', engine.singleKey('ml-dsa-65', logSeed).publicKey));
  const disk = new MemoryStick();
  const other = await startOnStick(disk, { another: { logSeed, logPin } });
  await fill(other, 3);
  const files = disk.files;
  const log = await startOnStick(disk);
  for (let i = 0; i < 3; i++) await log.pass(2000);
  t.match(log.sequencer.alarm, /the stick is foreign/);
  t.match(log.findings, [/the stick is foreign: its epoch [0-9a-f]{32}: the log key has the pin/]);
  t.same(disk.files, files);
});

t.test('an old state of the stick is never continued, and named', async (t) => {
  const disk = new MemoryStick();
  const first = await startOnStick(disk);
  await fill(first, 3);
  const old = disk.cut(0);
  await first.sequencer.close();
  await first.stick.close();
  const second = await startOnStick(disk);
  await fill(second, 3);

  // 1. Put in while the relay runs: it gets everything that is still in memory.
  disk.isThere = false;
  second.sequencer.record(ADOPTED);
  await second.stick.settled();
  const swapped = await startOnStick(old);
  t.equal(openingOf(swapped.sequencer.epochs.at(-1)!).prev.source, 'stick');
  t.ok(
    swapped.findings.some((fact) => fact.includes('goes on after')),
    'the operator can read which one and of when',
  );
  t.not(swapped.sequencer.epochs.at(-1)!.origin, first.sequencer.epochs[0]!.origin, 'a new tree');
  await fill(swapped, 3);

  // 2. Two epochs that nothing follows: the relay names both.
  const both = disk.cut(0);
  await copy(old.cut(0), both);
  both.isThere = true;
  const third = await startOnStick(both);
  t.ok(
    third.findings.some((fact) => fact.startsWith('nothing on the stick follows')),
    third.findings.join('\n'),
  );
});

t.test('a stick that lacks what was written is told of, and written anew', async (t) => {
  const disk = new MemoryStick();
  const old = disk.cut(0);
  const log = await startOnStick(disk);
  await fill(log, 600);
  disk.isThere = false;
  log.sequencer.record(ADOPTED);
  await log.stick.settled();
  await copy(old, disk, true);
  disk.isThere = true;
  await log.pass(2000);
  t.equal(log.sequencer.mode, 'required');
  t.ok(log.findings.some((fact) => /the stick lacks .*, which was written/.test(fact)));
  const next = await startOnStick(disk.cut(0));
  t.equal(next.epochs.kept[0]!.size, log.epochs.newest!.size);
});

t.test('damage of any kind is named', async (t) => {
  const damaged = async (t: Test, name: string, part: RegExp, at: number | 'last', isOpen: boolean) => {
    const disk = new MemoryStick();
    const log = await startOnStick(disk);
    await fill(log, 700);
    await log.pass(30_000);
    if (!isOpen) {
      await log.sequencer.close();
      await log.stick.close();
    }
    const stick = disk.cut(0);
    const path = stick.files.findLast((file) => part.test(file))!;
    t.ok(path, name);
    stick.damage(path, (bytes) => {
      const place = at === 'last' ? bytes.length - 1 : at;
      bytes[place]! ^= 1;
    });
    const next = await startOnStick(stick);
    await next.pass(30_000);
    const { prev } = openingOf(next.sequencer.epochs.at(-1)!);
    return {
      findings: next.findings.join('\n'),
      prev,
      lost: next.lost,
      size: log.epochs.newest!.size,
      origin: log.epochs.newest!.origin,
    };
  };
  for (const isOpen of [true, false]) {
    const bundle = await damaged(t, 'a bundle', /tile\/entries\/000$/, 5000, isOpen);
    t.match(bundle.findings, 'tile/entries/000 and tile/0/000 do not agree');
    t.match(bundle.lost, [{ from: 0, below: Number, origin: bundle.origin }]);
    t.match(bundle.prev, { source: 'stick', origin: bundle.origin, lastSignedSize: Number });
    const tile = await damaged(t, 'a tile', /tile\/0\/001$/, 100, isOpen);
    t.match(tile.findings, /tile\/0\/001 on the stick was not as it was written/);
    t.match(tile.prev, { tailSize: tile.size });
    t.same(tile.lost, []);
    const statement = await damaged(t, 'the proof of leaf 0', /\/epoch$/, 4000, isOpen);
    t.match(statement.prev, { tailSize: statement.size });
    const head = await damaged(t, 'a checkpoint', /checkpoints\/\d+$/, 'last', isOpen);
    t.match(head.findings, /checkpoints\/\d+ is not by its keys/);
  }
  const journal = await damaged(t, 'the journal', /journal\/00000001$/, 512 + 45 + 200, true);
  t.match(journal.lost, [{ below: journal.size, origin: journal.origin }]);
  t.match(journal.findings, /records were written, .* are there|do not have the head/);
});

t.test(
  'epochs that stand on the stick are the first that memory lets go of, and no others in the mode required',
  async (t) => {
    const disk = new MemoryStick();
    const log = await startOnStick(disk, { limitBytes: 200_000 });
    for (let i = 0; i < 40; i++) await fill(log, 100);
    await log.pass(0);
    const pruned = log.epochs.kept.filter(({ isPruned }) => isPruned);
    t.ok(pruned.length > 0);
    const records = log.sequencer.epochs
      .filter((epoch) => epoch.heads.length > 0 && epoch.tile({ level: 0, index: 0, width: 1 }))
      .flatMap(recordsOf);
    t.same(new Set(records.flatMap((record) => (record.act === 'prune' ? record.obj.basis : []))), new Set(['stick']));
    t.same(
      records.filter(({ act }) => act === 'log.lost'),
      [],
    );
    disk.isThere = false;
    const before = log.epochs.kept.length - pruned.length;
    for (let i = 0; i < 40; i++) await fill(log, 100);
    t.ok(log.epochs.kept.filter(({ isPruned }) => !isPruned).length > before, 'what is nowhere else stays');
  },
);

/** Puts the files of one stick onto another, in place of what is there if `isWhole`. */
async function copy(from: MemoryStick, to: MemoryStick, isWhole = false): Promise<void> {
  to.isThere = true;
  if (isWhole) for (const path of to.files) await to.remove(path);
  for (const path of from.files) {
    const parts = path.split('/').slice(0, -1);
    for (const depth of parts.keys()) await to.makeFolder(parts.slice(0, depth + 1).join('/')).catch(() => {});
    if (to.files.includes(path)) continue;
    const file = await to.create(path);
    await file.write(await from.read(path, 2 ** 24), 0);
    await file.sync();
    await to.syncFolder(parts.join('/'));
  }
}
