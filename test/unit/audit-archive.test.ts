/** The archive takes what holds and agrees with what it has, nothing else, and signs only for what it holds in full. */
import {
  copyFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { takeIn } from '../../tools/audit/archive-intake.ts';
import { ArchiveStore } from '../../tools/audit/archive-store.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import {
  changeFile,
  type ExportPlan,
  filesBelow,
  type MadeEpoch,
  type MadeExport,
  type MadeHead,
  makeAuditExport,
  previousOf,
  swapFiles,
} from '../fixtures/audit-export.ts';

/** Exports of one relay and its archive. */
function archive(t: Test) {
  const root = t.testdir();
  let made = 0;
  const path = join(root, 'archive');
  const take = ({ folder, logPin }: MadeExport) => {
    const store = new ArchiveStore(path, logPin);
    try {
      const { report, taken } = takeIn(store, folder, { engine, logPin });
      return { report, taken, codes: report.failures.map(({ code }) => code) };
    } finally {
      store.close();
    }
  };
  let first: MadeExport | undefined;
  /** An export of the relay of the first one, unless it has a name. */
  const makeExport = (plan: ExportPlan) => {
    const after = first && !plan.name ? { after: first } : {};
    const one = makeAuditExport(join(root, `export-${made++}`), { ...after, ...plan });
    if (!plan.name) first = !first || one.epochs.length > first.epochs.length ? one : first;
    return one;
  };
  return { root, path, take, makeExport };
}

const files = (path: string) => filesBelow(path).filter((file) => file !== 'lock');

t.test('an archive grows with the log, over heads and epochs, and verifies at any time', async (t) => {
  const { path, take, makeExport } = archive(t);
  const plans = [[40], [40, 100], [40, 300], [40, 300, 700]];
  for (const records of plans) {
    const one = makeExport({ records });
    const { report, taken } = take(one);
    t.same([report.ok, report.failures], [true, []], `${records}`);
    t.equal(taken.at(-1)!.size, records.at(-1));
    const whole = checkExport({ engine, folder: path, logPin: one.logPin });
    t.same([whole.ok, whole.failures], [true, []]);
    t.same(
      whole.epochs.map(({ size, records }) => [size, records]),
      records.map((count) => [count, count]),
    );
    const before = files(path);
    t.ok(
      take(one).taken.every(({ added, size, before }) => added.files === 0 && before === size),
      'again: nothing new',
    );
    t.same(files(path), before);
  }
  const heads = readdirSync(join(path, 'epochs')).flatMap((id) => readdirSync(join(path, 'epochs', id, 'checkpoints')));
  t.same(
    heads.map(Number).sort((a, b) => a - b),
    [20, 40, 50, 100, 150, 300, 350, 700],
    'every head that it ever saw',
  );
  t.notOk(
    files(path).some((file) => file.endsWith('entries/000.p/100')),
    'no tile that a wider one continues',
  );
});

t.test('refused, named, and nothing of it taken', async (t) => {
  type Case = readonly [
    what: string,
    code: string,
    second: (first: MadeExport, make: (plan: ExportPlan) => MadeExport) => MadeExport,
  ];
  const change = (epoch: number) => (at: number, i: number, bytes: Uint8Array) =>
    at === epoch && i === 20
      ? Buffer.from(
          Buffer.from(bytes)
            .toString()
            .replace(/"up":\d+/, '"up":3001'),
        )
      : bytes;
  const cases: readonly Case[] = [
    ['a rolled-back log', 'log-rolled-back', (_, make) => make({ records: [40, 100] })],
    ['a fork of the newest epoch', 'log-forked', (_, make) => make({ records: [40, 700], record: change(1) })],
    ['a fork of a closed epoch', 'log-forked', (_, make) => make({ records: [40, 300], record: change(0) })],
    ['two epochs with one predecessor', 'log-forked', (first, make) => twin(first, make, previousOf(first.epochs[0]!))],
    [
      'a predecessor that ended earlier than it was signed',
      'log-rolled-back',
      (first, make) => twin(first, make, signedLessFar(first.epochs[1]!)),
    ],
    [
      'a lower version of the configuration',
      'log-rolled-back',
      (_, make) =>
        make({
          records: [40, 300, 30],
          opening: (epoch, event) =>
            epoch < 2 ? event : { ...event, obj: { ...event.obj, config: { ...event.obj.config, version: 2 } } },
        }),
    ],
    [
      'an edited record',
      'log-record-invalid',
      (_, make) => {
        const one = make({ records: [40, 700] });
        changeFile(join(one.folder, 'tile/entries/001'), (bytes) => bytes.fill('x', 100, 101));
        return one;
      },
    ],
    [
      'a missing tile',
      'log-missing',
      (_, make) => {
        const one = make({ records: [40, 700] });
        rmSync(join(one.folder, 'tile/entries/001'));
        rmSync(join(one.folder, 'tile/0/001'));
        return one;
      },
    ],
    [
      'tiles in another order',
      'log-tile-invalid',
      (_, make) => {
        const one = make({ records: [40, 700] });
        swapFiles(join(one.folder, 'tile/0/000'), join(one.folder, 'tile/0/001'));
        return one;
      },
    ],
    [
      'a checkpoint without the identity line',
      'log-checkpoint-invalid',
      (_, make) => {
        const one = make({ records: [40, 700] });
        changeFile(join(one.folder, 'checkpoints/700'), (note) => note.toString().replace(/\n\n.*\n/, '\n\n'));
        return one;
      },
    ],
    [
      'an older checkpoint in the place of the newest',
      'log-rolled-back',
      (_, make) => {
        const one = make({ records: [40, 700] });
        copyFileSync(join(one.folder, 'checkpoints/350'), join(one.folder, 'checkpoint'));
        return one;
      },
    ],
    ['a cloned identity', 'log-forked', (first, make) => twin(first, make, { source: 'none' }, 300)],
    [
      'a truncated stick',
      'log-tile-invalid',
      (_, make) => {
        const one = make({ records: [40, 700] });
        changeFile(join(one.folder, 'tile/entries/002.p/188'), (bytes) => bytes.subarray(0, 1000));
        return one;
      },
    ],
    [
      'a swapped epoch',
      'log-export-invalid',
      (_, make) => {
        const one = make({ records: [40, 700] });
        const [earlier] = one.epochs;
        renameSync(
          earlier!.folder,
          earlier!.folder.replace(/.$/, (end) => (end === '0' ? '1' : '0')),
        );
        return one;
      },
    ],
  ];
  for (const [what, code, second] of cases) {
    const { path, take, makeExport } = archive(t);
    const first = makeExport({ records: [40, 300] });
    t.ok(take(first).report.ok);
    const before = files(path).map((file) => [file, readFileSync(join(path, file), 'base64')]);
    const { report, taken, codes } = take(second(first, makeExport));
    t.equal(report.ok, false, what);
    t.ok(codes.includes(code as never), `${what}: ${JSON.stringify(report.failures)}`);
    t.same(taken, []);
    t.same(
      files(path).map((file) => [file, readFileSync(join(path, file), 'base64')]),
      before,
      'left as it was',
    );
  }
});

/** What a relay would say that forgot its newest head. */
function signedLessFar(epoch: MadeEpoch): PreviousEpoch {
  const [{ size, root }] = epoch.heads as [MadeHead];
  return {
    ...previousOf(epoch),
    lastSignedSize: size,
    lastSignedRoot: toBase64Url(root),
    tailSize: size,
    tailRoot: toBase64Url(root),
  } as PreviousEpoch;
}

/** An epoch of the same relay that begins with `prev`, beside the first epoch of `first`. */
function twin(
  first: MadeExport,
  make: (plan: ExportPlan) => MadeExport,
  prev: PreviousEpoch,
  records = 30,
): MadeExport {
  const made = make({
    records: [records],
    name: 'twin',
    signers: (_, own) => ({ ...own, 'ml-dsa-65': first.epochs[0]!.signers['ml-dsa-65'] }),
    opening: (_, event) => ({ ...event, obj: { ...event.obj, prev } }),
  });
  return { ...made, logPin: first.logPin };
}

t.test('another relay is refused, and another process', async (t) => {
  const { path, take, makeExport } = archive(t);
  const one = makeExport({ records: [40] });
  take(one);
  const other = makeExport({ records: [40], name: 'another relay' });
  t.throws(() => take(other), { code: 'pin-mismatch' });
  const store = new ArchiveStore(path, one.logPin);
  t.throws(() => take(one), { code: 'spool-in-use' });
  store.close();
  t.ok(take(one).report.ok);
});

t.test('a file as large as a disk is refused before it is copied', async (t) => {
  const { path, take, makeExport } = archive(t);
  for (const file of ['tile/entries/000.p/40', 'tile/0/000.p/40', 'checkpoint', 'epoch', 'vkeys.txt']) {
    const one = makeExport({ records: [40] });
    truncateSync(join(one.folder, file), 2 ** 40);
    t.throws(() => take(one), {
      code: 'file-invalid',
      detail: new RegExp(`${file} has 1099511627776 bytes, the limit is`),
    });
    t.same(files(path), ['archive.json']);
  }
});

t.test('links and strange names are not copied', async (t) => {
  const { path, take, makeExport } = archive(t);
  const one = makeExport({ records: [40] });
  writeFileSync(join(one.folder, 'autorun.inf'), 'x');
  t.ok(take(one).report.ok, 'a strange name is no failure');
  t.notOk(files(path).some((file) => file.includes('autorun')));
  symlinkSync('/etc/passwd', join(one.folder, 'proofs', '7.tlog-proof'));
  const { report } = take(one);
  t.notOk(files(path).some((file) => file.includes('7.tlog-proof')));
  t.ok(report.ok, 'what was copied holds');
});
