/** The stick: what it promises in each mode, what stands on it, and what is said when it is not as it should be. */
import t from 'tap';
import { ADOPTED, openingOf, recordsOf, verifyAll } from '../fixtures/audit.ts';
import { MemoryStick } from '../fixtures/memory-stick.ts';
import { fill, type OnStick, startOnStick } from '../fixtures/stick.ts';

/** What the log says of its stick, as `action value result`. */
function told({ sequencer }: OnStick): string[] {
  return sequencer.epochs.flatMap(recordsOf).flatMap((record) => {
    if (record.act === 'log.mode') return `mode ${record.obj.mode}`;
    if (record.act === 'log.storage') return `storage ${record.obj.state} ${record.res}`;
    return record.act.startsWith('stick.') || record.act === 'import.prev' ? `${record.act} ${record.res}` : [];
  });
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

t.test(
  'what stands on the stick is the first that memory lets go of; in the mode required nothing else goes',
  async (t) => {
    const disk = new MemoryStick();
    const log = await startOnStick(disk, { limitBytes: 200_000 });
    const told = () => log.epochs.kept.filter(({ droppedBelow }) => droppedBelow === 0).flatMap(recordsOf);
    const basesOf = () => new Set(told().flatMap((record) => (record.act === 'prune' ? record.obj.basis : [])));
    const dropped = () => log.epochs.kept.reduce((sum, { droppedBelow }) => sum + droppedBelow, 0);
    for (let i = 0; i < 40; i++) await fill(log, 100);
    await log.pass(30_000);
    t.ok(dropped() > 0);
    t.notOk(basesOf().has('limit'), [...basesOf()].join());
    disk.isThere = false;
    await fill(log, 1);
    const { unarchived } = log.stick;
    for (let i = 0; i < 40; i++) await fill(log, 100);
    t.ok(log.stick.unarchived >= unarchived + 4000, 'what is nowhere else stays');
    t.same(
      told().filter(({ act }) => act === 'log.lost'),
      [],
    );
  },
);
