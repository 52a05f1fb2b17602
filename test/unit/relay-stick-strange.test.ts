/** Sticks that are not what they should be: of another relay, old, another one, forged, damaged. Each is named. */
import t, { type Test } from 'tap';
import { spkiOf } from '../../protocol/engine/der.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { pinOf } from '../../protocol/text.ts';
import { ADOPTED, openingOf } from '../fixtures/audit.ts';
import { MemoryStick } from '../fixtures/memory-stick.ts';
import { seed } from '../fixtures/protocol.ts';
import { fill, startOnStick } from '../fixtures/stick.ts';

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
