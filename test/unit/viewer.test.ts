/** The worker of the viewer, with the files of an export in memory: what it verifies, lists and shows. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { signCheckpoint } from '../../protocol/checkpoint.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { rootOf } from '../../protocol/merkle.ts';
import { toBase64 } from '../../protocol/text.ts';
import { packFiles, unpackFiles } from '../../tools/audit/viewer/carried.ts';
import { givenExport } from '../../tools/audit/viewer/given-files.ts';
import { writeViewer } from '../../tools/audit/viewer-file.ts';
import { type MadeExport, makeAuditExport, RELAY } from '../fixtures/audit-export.ts';
import { refuses } from '../fixtures/protocol.ts';
import { filesOf, session } from '../fixtures/viewer-session.ts';

t.test('files packed are the files', async (t) => {
  const files = new Map([
    ['a', new Uint8Array(0)],
    ['b/c', Uint8Array.of(1, 2, 3)],
  ]);
  t.same(unpackFiles(packFiles(files)), files);
  t.same(unpackFiles(packFiles(new Map())), new Map());
  refuses(t, 'file-invalid', () => unpackFiles(packFiles(files).subarray(0, -1)));
});

t.test('a folder: verdict, timeline, chain, records and their ways', async (t) => {
  const folder = join(t.testdir(), 'audit');
  const made = makeAuditExport(folder, { records: [300, 700] });
  const { open, list, detail } = session();
  const verdict = open(filesOf(folder));
  t.match(verdict, { isFolder: true, pin: made.logPin, failureCount: 0, failures: [] });
  t.match(verdict.epochs, [
    { at: /^earlier/, leaves: 300, held: 300, before: null, headCount: 2 },
    { at: '', leaves: 700, held: 700, before: { origin: made.epochs[0]!.origin, tailSize: 300 } },
  ]);
  const counted = Object.values(verdict.timeline!.counts).flat();
  t.equal(
    counted.reduce((sum, count) => sum + count, 0),
    1000,
    'each verified record is in the timeline',
  );

  const first = list({});
  t.match(first.rows[0], {
    epoch: 1,
    index: 699,
    holds: true,
    summary: { cat: 'conduit', words: ['transfer.accepted'] },
  });
  let [rows, after] = [first.rows.length, first.after];
  while (after) {
    const next = list({ after });
    [rows, after] = [rows + next.rows.length, next.after];
  }
  t.equal(rows, 1000, 'page by page, over all epochs');
  t.match(list({ category: 'audit' }).rows, [
    { epoch: 1, index: 0 },
    { epoch: 0, index: 0 },
  ]);
  t.equal(list({ text: 'TRANSFER.ACCEPTED', after: { epoch: 0, index: Infinity } }).rows.length, 99);
  const { t: at } = first.rows[10]!.summary!;
  t.match(list({ fromMs: at, toMs: at + 1 }).rows, [{ index: 689 }]);
  t.equal(list({ onlyBroken: true }).rows.length, 0);

  const shown = detail(1, 513);
  t.match(shown, { problem: null, text: /^\{"act":"transfer.accepted".*"i":513,/, proof: { size: 700 } });
  t.equal(shown.proof!.steps.at(-1)!.node, shown.proof!.root);
  t.match(shown.proof!.steps[0], { isLeft: true, from: 512, below: 513 });
  t.match(shown.proof!.steps.at(-1), { isLeft: true, from: 0, below: 512 });
});

t.test('what does not hold is not verified', async (t) => {
  const work = t.testdir();
  const folder = join(work, 'audit');
  const made = makeAuditExport(folder, { records: [700] });
  const good = filesOf(folder);
  const { open, list, detail, refused, ask } = session();
  const edited = new Map(good);
  const bundle = Buffer.from(good.get('tile/entries/001')!);
  edited.set('tile/entries/001', Buffer.from(bundle.toString('latin1').replace('"views":1', '"views":2'), 'latin1'));
  t.match(open(edited), {
    failureCount: 1,
    failures: [{ file: 'tile/entries/001', index: 258 }],
    epochs: [{ held: 699 }],
  });
  t.match(list({ onlyBroken: true }).rows, [{ index: 258, holds: false, summary: null }]);
  t.match(detail(0, 258), { problem: /leads to another root/ });

  const unsigned = new Map(good);
  const [epoch] = made.epochs;
  const other = { origin: epoch!.origin, size: 700, root: rootOf(engine, epoch!.tree.read, 699) };
  const forged = signCheckpoint(engine, other, epoch!.heads.at(-1)!.seconds, epoch!.signers);
  unsigned.set('checkpoint', forged).set('checkpoints/700', forged);
  const verdict = open(unsigned);
  t.match(verdict.epochs, [{ leaves: 700, held: 0 }], 'no record leads to the root that was signed');
  t.equal(verdict.epochs[0]!.heads[0]!.root, toBase64(other.root));

  const holes = new Map(good);
  for (const path of ['tile/entries/001', 'tile/0/000']) holes.delete(path);
  t.match(open(holes), { epochs: [{ leaves: 700, held: 444 }] });
  t.match(ask('refused', { kind: 'record', position: { epoch: 0, index: 300 } }).detail, /leaf 300 is not here/);
  t.match(detail(0, 3), { problem: /tile\/0\/000 is not there/, proof: null });

  const back = makeAuditExport(join(work, 'back'), {
    records: [20],
    record: (_, i, bytes) => (i === 7 ? Buffer.from(Buffer.from(bytes).toString().replace('"t":1', '"t":0')) : bytes),
  });
  const early = makeAuditExport(join(work, 'early'), {
    records: [20],
    record: (_, i, bytes) =>
      i === 7
        ? Buffer.from(
            Buffer.from(bytes)
              .toString()
              .replace(/"up":\d+/, '"up":1'),
          )
        : bytes,
  });
  t.match(open(filesOf(back.folder)), { failureCount: 1, epochs: [{ held: 19 }] }, 'no canonical JSON');
  t.match(open(filesOf(early.folder)), { failureCount: 1, epochs: [{ held: 19 }] }, 'time goes back');
  t.match(detail(0, 7), { problem: /refused when the log was checked/, proof: { size: 20 } });

  const blind = new Map(good).set('epoch', new Uint8Array(9));
  t.match(open(blind), { pin: '', failures: [{ file: 'epoch' }], epochs: [], timeline: null });
  t.equal(list({}).rows.length, 0);
  t.match(refused(new Map([['thesis.txt', new Uint8Array(3)]])), /none of the 1 files is the checkpoint/);
  const huge = new Map(good).set('checkpoint', new Uint8Array(2 ** 21));
  t.match(open(huge).failures[0], { code: 'file-invalid', file: 'checkpoint' });
  refuses(t, 'file-invalid', () => givenExport({ size: 2 ** 23 } as unknown as Parameters<typeof givenExport>[0]));
});

t.test('the copy that a page carries', async (t) => {
  const work = t.testdir();
  const { ask, list, detail } = session();
  const carriedBy = (made: MadeExport): Uint8Array => {
    const places = made.epochs.map(({ id }, i) => (i === made.epochs.length - 1 ? '' : `earlier/${id}`));
    writeViewer(made.folder, places);
    const page = readFileSync(join(made.folder, 'index.html'), 'utf8');
    return gunzipSync(Buffer.from(/id="carried">([^<]+)</.exec(page)![1]!, 'base64'));
  };
  const long = carriedBy(makeAuditExport(join(work, 'long'), { records: [40, 30_000] }));
  const { verdict } = ask('verdict', { kind: 'carried', packed: long });
  t.match(verdict, { isFolder: false, failureCount: 0, epochs: [{ leaves: 40, held: 0 }, { leaves: 30_000 }] });
  const { held } = verdict.epochs[1]!;
  t.ok(held >= 20_000 && held < 20_512, `${held} records`);
  t.match(detail(1, 29_999), { problem: null, proof: { size: 30_000 } });
  t.equal(list({ text: 'log.epoch.open' }).rows.length, 0);

  const short = carriedBy(makeAuditExport(join(work, 'short'), { records: [40, 300] }));
  t.match(ask('verdict', { kind: 'carried', packed: short }).verdict.epochs, [{ held: 40 }, { held: 300 }]);
  const files = unpackFiles(short);
  const bundle = Buffer.from(files.get('tile/entries/000')!);
  files.set('tile/entries/000', Buffer.from(bundle.toString('latin1').replace('"views":1', '"views":2'), 'latin1'));
  const changed = ask('verdict', { kind: 'carried', packed: packFiles(files) }).verdict;
  t.match(changed.failures, [{ code: 'log-record-invalid', file: 'tile/entries/000' }]);
  t.match(changed.epochs, [{ held: 40 }, { held: 44 }], 'nothing of that bundle is verified');
  t.match(changed.epochs[1]!.origin, RELAY);
  const misplaced = makeAuditExport(join(work, 'misplaced'), {
    records: [10],
    record: (_, i, bytes) => (i === 4 ? Buffer.from(Buffer.from(bytes).toString().replace('"i":4', '"i":5')) : bytes),
  });
  const lied = ask('verdict', { kind: 'carried', packed: carriedBy(misplaced) }).verdict;
  t.match(lied, { failures: [{ index: 4, detail: /says that it is leaf 5/ }], epochs: [{ held: 9 }] });
});
