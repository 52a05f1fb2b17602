/** The names of an export, and the reader of an epoch's folder that a stranger may have filled. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { parseLogRecord } from '../../protocol/log-record.ts';
import { EpochFolder } from '../../tools/audit/epoch-folder.ts';
import { findEpochs } from '../../tools/audit/export-folder.ts';
import { type EpochFile, epochIdOf, epochPath, parseEpochPath } from '../../tools/audit/layout.ts';
import { formatManifest, parseManifest } from '../../tools/audit/manifest.ts';
import { readPlainFile } from '../../tools/lib/files.ts';
import { makeAuditExport } from '../fixtures/audit-export.ts';
import { refuses } from '../fixtures/protocol.ts';

const HASH = 'ab'.repeat(32);

t.test('each file of an epoch has one path, and each path names one file', async (t) => {
  const files: readonly [EpochFile, string][] = [
    [{ kind: 'checkpoint' }, 'checkpoint'],
    [{ kind: 'statement' }, 'epoch'],
    [{ kind: 'verifier-keys' }, 'vkeys.txt'],
    [{ kind: 'head', size: 0 }, 'checkpoints/0'],
    [{ kind: 'tile', tile: { level: 0, index: 1234, width: 256 } }, 'tile/0/x001/234'],
    [{ kind: 'tile', tile: { level: 'entries', index: 7, width: 3 } }, 'tile/entries/007.p/3'],
    [{ kind: 'proof', index: 12 }, 'proofs/12.tlog-proof'],
    [{ kind: 'growth', from: 3, to: 4 }, 'consistency/3-4.add-checkpoint'],
    [{ kind: 'cosignature', originHash: HASH, size: 9 }, `inbox/${HASH}/9.cosig`],
  ];
  for (const [file, path] of files) {
    t.equal(epochPath(file), path);
    t.same(parseEpochPath(path), file);
  }
  const foreign = [
    '',
    '/checkpoint',
    './checkpoint',
    'checkpoints/01',
    'checkpoints/-1',
    'checkpoints/9007199254740992',
    'checkpoints/../checkpoint',
    'checkpoints/1\n',
    'proofs/1.tlog-proof.tmp',
    'consistency/1.add-checkpoint',
    `inbox/${HASH.toUpperCase()}/9.cosig`,
    'tile/0/001.p/256',
    'tile/0/../../etc',
    'tile/8/001',
    'journal/x',
  ];
  for (const path of foreign) t.equal(parseEpochPath(path), undefined, path);
  t.equal(epochIdOf(`relay-1/audit/${'0'.repeat(32)}`), '0'.repeat(32));
  refuses(t, 'log-export-invalid', () => epochIdOf('relay-1/audit/../../x'));
});

t.test('the fixture writes what the formats say, as an export and as a live stick', async (t) => {
  const { folder, logPin, epochs } = makeAuditExport(join(t.testdir(), 'export'), { records: [3, 300] });
  t.same(
    findEpochs(folder).map(({ at }) => at),
    ['', `earlier/${epochs[0]!.id}`],
  );
  for (const epoch of epochs) {
    const { event } = verifyEpoch(engine, epoch.records[0]!, logPin);
    t.equal(event.obj.origin, epoch.origin);
    for (const [i, record] of epoch.records.entries()) t.equal(parseLogRecord(record).i, i);
  }
  const manifest = parseManifest(readPlainFile(join(folder, 'manifest.json'), 2 ** 20)!);
  t.same(parseManifest(formatManifest(manifest)), manifest);
  t.equal(manifest.epochs.at(-1)!.origin, epochs[1]!.origin);
  const live = makeAuditExport(join(t.testdir(), 'live'), { records: [3, 300], live: true });
  t.same(
    findEpochs(live.folder).map(({ at }) => at),
    live.epochs.map(({ id }) => `epochs/${id}`).sort(),
  );
  refuses(t, 'log-missing', () => findEpochs(t.testdir()));
  refuses(t, 'file-invalid', () => findEpochs(join(folder, 'checkpoint')));
});

t.test('an epoch is read by its names', async (t) => {
  const { epochs } = makeAuditExport(join(t.testdir(), 'export'), { records: [300] });
  const epoch = epochs[0]!;
  const folder = new EpochFolder(epoch.folder);
  t.same(folder.headSizes, [150, 300]);
  t.same(folder.proofIndices, [299]);
  t.same(folder.growths, [{ kind: 'growth', from: 150, to: 300 }]);
  t.same(folder.cosignatures, []);
  t.same(
    [folder.widths(0, 0), folder.widths('entries', 1), folder.widths(1, 0), folder.widths(2, 0)],
    [[256], [44], [1], []],
  );
  t.same(Buffer.from(folder.read({ kind: 'head', size: 300 })!), Buffer.from(epoch.heads[1]!.checkpoint));
  t.equal(folder.read({ kind: 'head', size: 7 }), null);
  t.same(folder.strange, []);
});

t.test('no link is followed, no pipe waited for, nothing read that is too large', async (t) => {
  const { epochs } = makeAuditExport(join(t.testdir({ other: 'secret' }), 'export'), { records: [300] });
  const at = (path: string): string => join(epochs[0]!.folder, path);
  symlinkSync(at('../other'), at('checkpoints/7'));
  renameSync(at('proofs'), at('../proofs'));
  symlinkSync(at('../proofs'), at('proofs'));
  execFileSync('mkfifo', [at('checkpoints/8')]);
  mkdirSync(at('checkpoints/9'));
  writeFileSync(at('consistency/\u001b[2J'), 'x');
  writeFileSync(at('.DS_Store'), 'x');
  writeFileSync(at('tile/entries/x001'), 'x');
  for (const big of ['checkpoint', 'tile/0/000', 'tile/entries/000', 'epoch', 'vkeys.txt'])
    truncateSync(at(big), 2 ** 36);
  const folder = new EpochFolder(at(''));
  t.same(
    folder.strange.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
    [
      { path: '.DS_Store', isTrick: false },
      { path: 'checkpoints/7', isTrick: true },
      { path: 'checkpoints/8', isTrick: true },
      { path: 'checkpoints/9', isTrick: true },
      { path: 'consistency/\u001b[2J', isTrick: false },
      { path: 'proofs', isTrick: true },
      { path: 'tile/entries/x001', isTrick: true },
    ],
  );
  t.equal(folder.read({ kind: 'head', size: 7 }), null);
  t.same(folder.proofIndices, []);
  for (const kind of ['checkpoint', 'statement', 'verifier-keys'] as const) {
    refuses(t, 'file-invalid', () => folder.read({ kind }), kind);
  }
  for (const level of [0, 'entries'] as const) {
    refuses(t, 'file-invalid', () => folder.read({ kind: 'tile', tile: { level, index: 0, width: 256 } }), `${level}`);
  }
  refuses(t, 'file-invalid', () => readPlainFile(at('checkpoints/7'), 100), 'a link');
  refuses(t, 'file-invalid', () => readPlainFile(at('checkpoints/8'), 100), 'a pipe');
  symlinkSync(at(''), at('../linked'));
  refuses(t, 'file-invalid', () => new EpochFolder(at('../linked')));
});
