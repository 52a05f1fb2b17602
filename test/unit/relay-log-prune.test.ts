/** The memory limit of the audit log: what goes first, what is recorded of it, and what a crash afterwards leaves. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { inclusionProof, verifyInclusion } from '../../protocol/merkle.ts';
import { toHex } from '../../protocol/text.ts';
import { tileReader } from '../../protocol/tile.ts';
import type { KeptEpoch } from '../../relay/log/kept-epoch.ts';
import type { EpochView } from '../../relay/log/log-view.ts';
import { pruneEpochs } from '../../relay/log/prune.ts';
import type { Sequencer } from '../../relay/log/sequencer.ts';
import { writeAt } from '../../relay/store/slot-file.ts';
import { adopted, recordsOf, startAudit } from '../fixtures/audit.ts';

t.setTimeout(120_000);

/** Records in a whole file of bundles. */
const FILE = 16 * 256;
/** Records of an epoch that has some more. */
const EPOCH = FILE + 1024;

/** Adds records of transfers of their own. */
function fill(sequencer: Sequencer, count: number): void {
  for (let i = 0; i < count; i++) sequencer.record(adopted(toHex(engine.random(16))));
}

function numberOf(kept: readonly EpochView[], origin: string): number {
  return kept.findIndex((each) => each.origin === origin);
}

/** What an epoch says that went. */
function told(epoch: EpochView, kept: readonly EpochView[]) {
  return recordsOf(epoch).flatMap((record) => {
    if (record.act === 'prune') return [[record.obj.basis, numberOf(kept, record.obj.origin), record.obj.below]];
    return record.act === 'log.lost' ? [['lost', numberOf(kept, record.obj.origin), record.obj.from]] : [];
  });
}

/** Every leaf has a proof, whatever became of its bytes. */
function proveSome(t: Test, epoch: EpochView): void {
  const { size, root } = epoch.heads.at(-1)!;
  const read = tileReader(engine, size, (tile) => epoch.tile(tile)!);
  for (const index of [0, 1, 256, FILE - 1, size - 1]) {
    if (index < size)
      verifyInclusion(engine, inclusionProof(engine, read, index, size), index, read(0, index), size, root);
  }
  t.pass(`proofs in a tree of ${size}`);
}

/** Drops all that may go. */
function dropAll(kept: readonly KeptEpoch[], mayLose: boolean) {
  const onFault = (code: string) => t.fail(code);
  const pruned = pruneEpochs(kept, { limitBytes: 1, maxEpochs: 512, mayLose, onFault });
  return pruned.map(({ origin, basis, below, lostFrom }) => [numberOf(kept, origin), basis, below, lostFrom]);
}

for (const hasJournal of [true, false]) {
  const where = hasJournal ? 'with a journal' : 'without one';

  t.test(
    `${where}: cosigned records go first, then those on the stick, then whole epochs, then the rest`,
    async (t) => {
      const { sequencer, epochs, pass } = startAudit({ folder: hasJournal ? t.testdir() : null, maxLeaves: EPOCH });
      fill(sequencer, 2 * EPOCH + FILE + 600);
      await pass(30_000);
      const { kept } = epochs;
      const [first, second, open] = kept as [KeptEpoch, KeptEpoch, KeptEpoch];
      t.equal(kept.length, 3);
      second.savedBy('cosigned', FILE + 100);
      first.savedBy('stick', FILE + 400);
      first.savedBy('stick', 300);
      const before = epochs.bytes;
      t.same(dropAll(kept, false), [
        [1, 'cosigned', FILE, null],
        [0, 'stick', FILE + 256, null],
      ]);
      t.ok(epochs.bytes < before);
      for (const [epoch, from] of [
        [first, FILE + 256],
        [second, FILE],
      ] as const) {
        proveSome(t, epoch);
        t.equal(epoch.bundle({ level: 'entries', index: from / 256 - 1, width: 256 }), undefined);
        t.ok(epoch.bundle({ level: 'entries', index: from / 256, width: 256 }));
      }
      first.savedBy('stick', first.size);
      t.same(dropAll(kept, false), [
        [0, 'stick', EPOCH, null],
        [0, 'closed', EPOCH + 1, null],
      ]);
      t.ok(first.isPruned && first.heads.length === 1 && first.tail, 'its last head and its tail stay');
      t.equal(first.tile({ level: 0, index: 0, width: 1 }), undefined);
      t.same(dropAll(kept, false), [], 'what nobody else has stays, where it has to');
      t.same(dropAll(kept, true), [
        [1, 'limit', EPOCH, FILE + 100],
        [1, 'closed', EPOCH + 1, EPOCH],
        [2, 'limit', FILE, 0],
      ]);
      proveSome(t, open);
      fill(sequencer, 300);
      await pass(30_000);
      proveSome(t, open);
    },
  );
}

t.test('each drop is a record, and the log stays within its limit', async (t) => {
  const folder = t.testdir();
  const limitBytes = 2 * 2 ** 20;
  const { sequencer, epochs, pass } = startAudit({ folder, limitBytes });
  let peak = 0;
  for (let i = 0; i < 12; i++) {
    fill(sequencer, FILE);
    await pass(1000);
    const files = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    peak = Math.max(peak, epochs.bytes, files);
  }
  await pass(30_000);
  t.ok(peak < limitBytes * 1.1, `at most ${peak} bytes of ${limitBytes}`);
  const kept = epochs.kept.filter(({ isPruned }) => !isPruned);
  t.ok(kept.length < epochs.kept.length);
  const records = told(epochs.kept.at(-1)!, epochs.kept);
  t.match(records, [[/closed|limit/, Number, Number]]);
  t.ok(
    records.some(([what]) => what === 'lost'),
    'and what nobody else has is lost',
  );
  const numbers = new Set(readdirSync(folder).map((name) => name.slice(0, 14)));
  t.equal(numbers.size, kept.length, 'the files of a dropped epoch are gone');
});

t.test('a mode that requires the records drops none that nobody else has', async (t) => {
  const { sequencer, epochs, pass } = startAudit({ limitBytes: 2 ** 19, mode: 'required' });
  fill(sequencer, 2 * FILE);
  await pass(30_000);
  t.ok(epochs.bytes > 2 ** 19);
  t.ok(epochs.isAlarming);
  t.equal(
    epochs.kept.some(({ isPruned, droppedBelow }) => isPruned || droppedBelow > 0),
    false,
  );
});

t.test('what was dropped stays dropped in the next process, and the rest is whole', async (t) => {
  const folder = t.testdir();
  const first = startAudit({ folder });
  fill(first.sequencer, FILE + 900);
  await first.pass(30_000);
  const [epoch] = first.epochs.kept as [KeptEpoch];
  epoch.savedBy('stick', FILE);
  t.same(dropAll(first.epochs.kept, false), [[0, 'stick', FILE, null]]);
  fill(first.sequencer, 200);
  first.epochs.close();
  epoch.close();
  const second = startAudit({ folder });
  await second.sequencer.close();
  t.same(second.findings, []);
  const [again] = second.epochs.kept as [KeptEpoch];
  t.equal(again.size, epoch.size);
  t.same(again.asPrevious(), epoch.asPrevious());
  t.equal(again.droppedBelow, FILE);
  proveSome(t, again);
  t.same(dropAll([again], true), [
    [0, 'limit', FILE + 1024, FILE],
    [0, 'closed', again.size, FILE + 1024],
  ]);
  t.equal(readdirSync(folder).filter((name) => name.startsWith('audit-00000001')).length, 0);
});

t.test('memory that the system does not give back is told, and costs no record', async (t) => {
  const folder = t.testdir();
  let failing = false;
  const audit = startAudit({
    folder,
    limitBytes: 2 ** 20,
    write(fd, bytes, position) {
      if (failing && position === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      writeAt(fd, bytes, position);
    },
  });
  fill(audit.sequencer, FILE);
  failing = true;
  fill(audit.sequencer, 2 * FILE);
  t.ok(audit.findings.some((fact) => fact === 'records of the audit log cannot be dropped (ENOSPC)'));
  failing = false;
  fill(audit.sequencer, FILE);
  await audit.pass(30_000);
  t.ok(told(audit.epochs.kept.at(-1)!, audit.epochs.kept).length > 0);
  proveSome(t, audit.epochs.kept.at(-1)!);
});
