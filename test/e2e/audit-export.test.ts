/** Exports of a running relay: whole or not at all, continued, cut off and gone on with, and never of a log that lies. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';
import { Problem } from '../../protocol/problem.ts';
import { encodeBundle, parseBundle } from '../../protocol/tile.ts';
import type { EpochView, LogView } from '../../relay/log/log-view.ts';
import { checkExport } from '../../tools/audit/export-check.ts';
import { parseManifest } from '../../tools/audit/manifest.ts';
import { ADOPTED, LOG_PIN, startAudit } from '../fixtures/audit.ts';
import { changeFile, filesBelow } from '../fixtures/audit-export.ts';
import { serveAudit } from '../fixtures/audit-serving.ts';

t.setTimeout(120_000);

const records = (sequencer: { record(draft: typeof ADOPTED): unknown }, count: number): void => {
  for (let i = 0; i < count; i++) sequencer.record(ADOPTED);
};

/** The code that a promise is refused with. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'accepted',
    (thrown) => (thrown instanceof Problem ? thrown.code : String(thrown)),
  );
}

/** A copy of a log that answers otherwise. */
function lying(view: LogView, lie: (epoch: EpochView) => Partial<EpochView>): LogView {
  return {
    get mode() {
      return view.mode;
    },
    get epochs() {
      return view.epochs.map((epoch) => {
        const changed = lie(epoch);
        return new Proxy(epoch, {
          get: (target, name) => {
            const value = Reflect.get(name in changed ? changed : target, name, name in changed ? changed : target);
            return typeof value === 'function' ? value.bind(name in changed ? changed : target) : value;
          },
        });
      });
    },
  };
}

t.test('an export is whole, continues the one before, and follows the epochs', async (t) => {
  const { sequencer, pass } = startAudit({ maxLeaves: 900 });
  await pass(0);
  const folder = t.testdir({ out: {} });
  const { exportTo } = await serveAudit(t, folder, sequencer);
  const to = join(folder, 'out', 'export');
  records(sequencer, 299);
  await pass(30_000);
  const first = await exportTo(to);
  t.match(first, { ok: true, failures: [], notices: [], epochs: [{ at: '', size: 300, records: 300, heads: 2 }] });
  const manifest = parseManifest(readFileSync(join(to, 'manifest.json')));
  t.match(manifest, { relay: 'relay-1', madeMs: 1_800_000_000_000, counts: { records: 300 } });
  t.same(
    Object.keys(manifest.files).sort(),
    filesBelow(to).filter((path) => path !== 'manifest.json'),
  );

  records(sequencer, 400);
  await pass(30_000);
  t.match(await exportTo(to), { ok: true, epochs: [{ size: 700, records: 700, heads: 3 }] }, 'continued');
  t.match(checkExport({ engine, folder: to, logPin: LOG_PIN }), { ok: true, failures: [] }, 'with its manifest');

  records(sequencer, 300);
  await pass(30_000);
  const third = await exportTo(to);
  t.match(third, {
    ok: true,
    epochs: [
      { at: /^earlier\/[0-9a-f]{32}$/, size: 901 },
      { at: '', size: 101 },
    ],
  });
  t.equal(third.epochs[0]!.origin, first.epochs[0]!.origin, 'the epoch before is kept where it belongs');
  t.same(readdirSync(join(to, '..')), ['export'], 'nothing is left beside it');
});

t.test('what the relay keeps no more is taken over from the export before', async (t) => {
  const { sequencer, epochs, pass } = startAudit({ maxLeaves: 300 });
  await pass(0);
  const folder = t.testdir({ out: {} });
  const { exportTo } = await serveAudit(t, folder, sequencer);
  const to = join(folder, 'out', 'export');
  records(sequencer, 400);
  await pass(30_000);
  t.match(await exportTo(to), { ok: true, epochs: [{ size: 301 }, { size: 102 }] });
  epochs.kept[0]!.prune();
  records(sequencer, 10);
  await pass(30_000);
  t.match(await exportTo(to), { ok: true, epochs: [{ size: 301, records: 301 }, { size: 112 }] });
});

t.test('records that no head covers, since the process died, are exported and proved by the next epoch', async (t) => {
  const folder = t.testdir({ out: {}, journal: {} });
  const dead = startAudit({ folder: join(folder, 'journal') });
  await dead.pass(0);
  records(dead.sequencer, 299);
  await dead.pass(30_000);
  records(dead.sequencer, 30);
  dead.epochs.close();
  const { sequencer, pass } = startAudit({ folder: join(folder, 'journal') });
  await pass(0);
  const { exportTo } = await serveAudit(t, folder, sequencer);
  const to = join(folder, 'out', 'export');
  const report = await exportTo(to);
  t.match(report, {
    ok: true,
    notices: [],
    epochs: [
      { size: 300, leaves: 330, records: 330 },
      { at: '', size: 1 },
    ],
  });
  const old = join(to, 'earlier', report.epochs[0]!.id);
  t.same(
    filesBelow(join(old, 'tile', '0')),
    ['000', '001.p/44', '001.p/74'],
    'its newest head can be read by other tools',
  );
});

t.test('an attempt that was cut off is gone on with, also when what it left is damaged', async (t) => {
  const { sequencer, pass } = startAudit();
  const asked: string[] = [];
  const view = lying(sequencer, (epoch) => ({
    bundle(tile) {
      asked.push(`${tile.index}`);
      if (asked.length === 4) throw new Error('the relay dies');
      return epoch.bundle(tile);
    },
  }));
  const folder = t.testdir({ out: {} });
  const { exportTo } = await serveAudit(t, folder, view);
  const to = join(folder, 'out', 'export');
  records(sequencer, 1500);
  await pass(30_000);
  t.equal(await codeOf(exportTo(to)), 'internal');
  t.same([existsSync(to), existsSync(`${to}.partial`)], [false, true]);
  asked.length = 4;
  const epoch = join(`${to}.partial`, 'epochs', readdirSync(join(`${to}.partial`, 'epochs'))[0]!);
  const kept = filesBelow(epoch).filter((path) => path.startsWith('tile/entries/'));
  t.ok(kept.length > 0, 'bundles were kept');
  t.match(await exportTo(to), { ok: true, epochs: [{ size: 1501, records: 1501 }] });
  t.equal(asked.length - 4, 6 - kept.length, 'only what was missing was asked for');

  rmSync(to, { recursive: true });
  mkdirSync(join(`${to}.partial`, 'epochs'), { recursive: true });
  asked.length = 4;
  t.match(await exportTo(to), { ok: true });
  changeFile(join(to, 'tile', 'entries', '001'), (bytes) => bytes.fill(0x41, 100, 120));
  t.match(await exportTo(to), { ok: true }, 'what is damaged in the export before is asked for again');
  t.match(checkExport({ engine, folder: to, logPin: LOG_PIN }), { ok: true });
});

t.test('a log that lies is not exported', async (t) => {
  const { sequencer, pass } = startAudit();
  await pass(0);
  records(sequencer, 299);
  await pass(30_000);
  const edited = lying(sequencer, (epoch) => ({
    bundle(tile) {
      const bytes = epoch.bundle(tile);
      if (!bytes || tile.index !== 0) return bytes;
      const entries = parseBundle(bytes, tile.width);
      const text = Buffer.from(entries[7]!).toString().replace('success', 'failure');
      return encodeBundle(entries.with(7, Buffer.from(text)));
    },
  }));
  const fewer = lying(sequencer, (epoch) => ({ heads: epoch.heads.slice(0, 1) }));
  const folder = t.testdir();
  const one = await serveAudit(t, folder, edited);
  t.equal(await codeOf(one.exportTo(join(folder, 'edited'))), 'proof-invalid');
  t.equal(existsSync(join(folder, 'edited')), false);
  const honest = await serveAudit(t, folder, sequencer);
  t.equal(await codeOf(honest.exportTo(join(folder, 'x'), 'reader')), 'not-available', 'the role is missing');
  t.equal(await codeOf(honest.exportTo(join(folder, 'x'), 'auditor', `sha256/${'A'.repeat(43)}`)), 'log-epoch-invalid');
  t.match(await honest.exportTo(join(folder, 'true')), { ok: true });
  const rolledBack = await serveAudit(t, folder, fewer);
  const report = await rolledBack.exportTo(join(folder, 'true'));
  t.match(report, { ok: false, failures: [{ code: 'log-rolled-back', file: 'checkpoints/1' }] });
  t.match(checkExport({ engine, folder: join(folder, 'true'), logPin: LOG_PIN }), {
    ok: true,
    epochs: [{ size: 300 }],
  });
});

t.test('nothing that is no export is replaced', async (t) => {
  const { sequencer, pass } = startAudit();
  await pass(0);
  const folder = t.testdir({ papers: { 'thesis.txt': 'x' }, empty: {} });
  const { exportTo } = await serveAudit(t, folder, sequencer);
  t.equal(await codeOf(exportTo(join(folder, 'papers'))), 'already-exists');
  t.match(await exportTo(join(folder, 'empty')), { ok: true });
  writeFileSync(join(folder, 'empty', 'manifest.json'), '{}');
  t.equal(await codeOf(exportTo(join(folder, 'empty'))), 'schema-invalid');
  t.equal(parseLogRecord(readEntry(join(folder, 'empty'))).act, 'log.epoch.open');
});

function readEntry(folder: string): Uint8Array {
  return parseBundle(readFileSync(join(folder, 'tile', 'entries', '000.p', '1')), 1)[0]!;
}
