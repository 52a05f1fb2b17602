/** The audit log over processes: its rhythm, its epochs, its journal and the faults of it. */
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { inclusionProof, leafHash, verifyInclusion } from '../../protocol/merkle.ts';
import { tileReader } from '../../protocol/tile.ts';
import { writeAt } from '../../relay/store/slot-file.ts';
import { ADOPTED, adopted, recordsOf, startAudit, verifyAll, verifyChain } from '../fixtures/audit.ts';

t.test('a head every 30 seconds, whether something happened or not', async (t) => {
  const { sequencer, pass } = startAudit();
  await pass(0);
  for (let i = 0; i < 4 * 90; i++) {
    await pass(250);
    if (i > 120 && i < 240) for (let n = 0; n < 7; n++) sequencer.record(ADOPTED);
  }
  const [epoch] = sequencer.epochs;
  const seconds = epoch!.heads.map((head) => head.seconds - 1_800_000_000);
  t.same(seconds, [0, 30, 60, 90]);
  t.equal(epoch!.heads.at(-1)!.size, 1 + 119 * 7);
  verifyAll(t, epoch!);
});

t.test('tiles and bundles give proofs for every leaf', async (t) => {
  const { sequencer, pass } = startAudit();
  for (let i = 0; i < 700; i++) sequencer.record(adopted(i.toString(16).padStart(32, '0')));
  await pass(30_000);
  const [epoch] = sequencer.epochs;
  const { size, root } = epoch!.heads.at(-1)!;
  const read = tileReader(engine, size, (tile) => epoch!.tile(tile)!);
  for (const index of [0, 1, 255, 256, 511, 512, 700]) {
    const { index: bundle, width } = { index: Math.floor(index / 256), width: index >= 512 ? size - 512 : 256 };
    const records = recordsOf(epoch!);
    t.equal(records[index]!.i, index);
    t.ok(epoch!.bundle({ level: 'entries', index: bundle, width }));
    const found = epoch!.indexOf((index - 1).toString(16).padStart(32, '0'));
    if (index > 0) t.equal(found, index);
    const leaf = epoch!.tile({ level: 0, index: bundle, width })!.subarray((index % 256) * 32, (index % 256) * 32 + 32);
    verifyInclusion(engine, inclusionProof(engine, read, index, size), index, leaf, size, root);
  }
  t.equal(epoch!.bundle({ level: 'entries', index: 2, width: 200 }), undefined);
  t.equal(epoch!.tile({ level: 2, index: 0, width: 1 }), undefined);
  t.equal(epoch!.indexOf('f'.repeat(32)), undefined);
  t.same(leafHash(engine, epoch!.statement), new Uint8Array(epoch!.tile({ level: 0, index: 0, width: 1 })!));
});

t.test('an epoch ends by leaves, by age and by the clock, without a gap in the rhythm', async (t) => {
  const { sequencer, pass, clock } = startAudit({ maxLeaves: 5, maxAgeMs: 100_000 });
  await pass(0);
  for (let i = 0; i < 4; i++) sequencer.record(ADOPTED);
  await pass(0);
  t.equal(sequencer.epochs.length, 2);
  for (let i = 0; i < 100; i++) await pass(1000);
  t.equal(sequencer.epochs.length, 3);
  clock.wall -= 700;
  await pass(0);
  t.equal(sequencer.epochs.length, 3);
  clock.wall -= 11_000;
  await pass(0);
  t.equal(sequencer.epochs.length, 4);
  clock.wall += 4_000_000;
  await pass(0);
  await sequencer.close();
  const records = verifyChain(t, sequencer.epochs);
  const reasons = records.flatMap((record) => (record.act === 'log.epoch.close' ? record.obj.reason : []));
  t.same(reasons, ['leaves', 'age', 'clock', 'clock', 'shutdown']);
  const steps = records.flatMap((record) => (record.act === 'clock.set' ? record.obj.stepMs : []));
  t.same(steps, [-700, -11_000, 4_000_000]);
  for (const epoch of sequencer.epochs)
    t.equal(epoch.heads.at(-1)!.size, epoch.tail!.size, 'the whole epoch is signed');
});

t.test('the next process has every record of the last ones, however they ended', async (t) => {
  const folder = t.testdir();
  for (const count of [0, 3, 254, 255, 256, 800]) {
    const { sequencer, pass, epochs } = startAudit({ folder });
    await pass(0);
    for (let i = 0; i < count; i++) sequencer.record(ADOPTED);
    if (count === 3) await sequencer.close();
    epochs.close(); // as if killed: nothing is written any more
  }
  const { sequencer, findings } = startAudit({ folder });
  await sequencer.close();
  t.equal(sequencer.epochs.length, 7);
  const records = verifyChain(t, sequencer.epochs);
  t.equal(records.filter(({ act }) => act === 'transfer.adopted').length, 3 + 254 + 255 + 256 + 800);
  t.same(findings, []);
});

t.test('a torn tail is left out, a damaged journal is discarded and named', async (t) => {
  const folder = t.testdir();
  const first = startAudit({ folder });
  await first.pass(0);
  for (let i = 0; i < 300; i++) first.sequencer.record(ADOPTED);
  first.epochs.close();
  const tail = join(folder, 'audit-00000001.tail');
  truncateSync(tail, readFileSync(tail).length - 1);
  const second = startAudit({ folder });
  t.equal(second.sequencer.epochs[0]!.tail!.size, 301);
  second.epochs.close();
  // The tail file is as long as its first bundle made it: bytes behind the newest entry are old ones.
  const bytes = readFileSync(tail);
  const last = bytes.lastIndexOf('{"act":"transfer.adopted"', 61_440 + 40 * 250);
  bytes[last + 30]! ^= 1;
  writeFileSync(tail, bytes);
  const third = startAudit({ folder });
  t.ok(third.sequencer.epochs[0]!.tail!.size < 301);
  third.epochs.close();
  const bundles = join(folder, 'audit-00000001-0000.bundles');
  const packed = readFileSync(bundles);
  packed[100]! ^= 1;
  writeFileSync(bundles, packed);
  const fourth = startAudit({ folder });
  t.match(fourth.findings, [/^discarded journal 1 of the audit log: 0 records do not have the statement and the head/]);
  t.equal(fourth.sequencer.epochs.length, 3, 'without its first records the journal is no epoch');
  t.notOk(readdirSync(folder).includes('audit-00000001.tail'));
});

t.test('a write that fails, kept or not, costs nothing that the next one does not mend', async (t) => {
  for (const kept of [false, true]) {
    const folder = t.testdir();
    let failing = false;
    const audit = startAudit({
      folder,
      write(fd, bytes, position) {
        if (!failing || kept) writeAt(fd, bytes, position);
        else writeAt(fd, bytes.subarray(0, bytes.length / 2), position);
        if (failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      },
    });
    await audit.pass(0);
    for (let i = 0; i < 900; i++) {
      failing = i % 100 > 60;
      audit.sequencer.record(ADOPTED);
      if (failing) t.ok(audit.epochs.newest!.unwritten > 0);
      else t.equal(audit.epochs.newest!.unwritten, 0);
    }
    t.same(audit.findings, ['the journal of the audit log cannot be written (ENOSPC)']);
    failing = false;
    audit.sequencer.record(ADOPTED);
    audit.epochs.close();
    const next = startAudit({ folder });
    await next.sequencer.close();
    t.equal(verifyChain(t, next.sequencer.epochs).filter(({ act }) => act === 'transfer.adopted').length, 901);
  }
});
