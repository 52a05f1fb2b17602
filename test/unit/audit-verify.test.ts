/** Verifying an export: what is true holds, and everything that was done to one is found at its place. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import { checkExport, type ExportReport } from '../../tools/audit/export-check.ts';
import { changeFile, type ExportPlan, type MadeExport, makeAuditExport, swapFiles } from '../fixtures/audit-export.ts';

const RECORDS = [40, 700];

function verified(made: MadeExport, more: { against?: string; receipts?: string; logPin?: string } = {}): ExportReport {
  return checkExport({ engine, folder: made.folder, logPin: made.logPin, ...more });
}

function made(t: Test, plan: Partial<ExportPlan> = {}): MadeExport {
  return makeAuditExport(join(t.testdir(), 'export'), { records: RECORDS, ...plan });
}

/** `code file` or `code file index` of each failure. */
function placesOf({ failures }: ExportReport): string[] {
  return failures.map(({ code, file, index }) => [code, file, index].filter((part) => part !== undefined).join(' '));
}

t.test('a true export holds, of every shape', async (t) => {
  const plans: Partial<ExportPlan>[] = [
    {},
    { records: [1] },
    { records: [2, 1, 3] },
    { records: [256] },
    { records: [257, 256 * 3] },
    { records: [30, 20], live: true },
    { heads: (_, records) => [1, 2, Math.ceil(records / 3), records] },
  ];
  for (const plan of plans) {
    const one = made(t, plan);
    const report = verified(one);
    t.same([report.ok, report.failures, report.failureCount], [true, [], 0], JSON.stringify(plan));
    t.same(
      report.epochs.map(({ origin, size, leaves, records, unarchived }) => [origin, size, leaves, records, unarchived]),
      one.epochs.map(({ origin, records: { length } }) => [origin, length, length, length, []]),
    );
    t.same(
      report.epochs.map(({ heads }) => heads),
      one.epochs.map(({ heads }) => heads.length),
    );
  }
});

t.test('what was changed is found at its place', async (t) => {
  const flip = (at: number) => (bytes: Buffer) => {
    bytes[at]! ^= 1;
    return bytes;
  };
  type Damage = (made: MadeExport, at: (path: string) => string) => void;
  const old = (made: MadeExport): string => `earlier/${made.epochs[0]!.id}`;
  const cases: readonly [
    what: string,
    damage: Damage,
    expected: readonly (string | ((made: MadeExport) => string))[],
  ][] = [
    [
      'an edited record',
      (_, at) => changeFile(at('tile/entries/001'), flip(1000)),
      ['log-record-invalid tile/entries/001 259'],
    ],
    [
      'an edited record in a part of a bundle',
      (_, at) => changeFile(at('tile/entries/002.p/188'), flip(100)),
      ['log-record-invalid tile/entries/002.p/188 512'],
    ],
    [
      'a bundle whose lengths are wrong',
      (_, at) => changeFile(at('tile/entries/001'), flip(1)),
      ['log-tile-invalid tile/entries/001', 'log-missing tile/entries/001 256'],
    ],
    ['a changed tile', (_, at) => changeFile(at('tile/0/001'), flip(32 * 7)), ['log-tile-invalid tile/0/001 263']],
    [
      'a changed tile above',
      (_, at) => changeFile(at('tile/1/000.p/2'), flip(33)),
      ['log-tile-invalid tile/1/000.p/2 256'],
    ],
    ['a missing tile', (_, at) => rmSync(at('tile/0/001')), ['log-missing tile/0/001']],
    ['a missing bundle', (_, at) => rmSync(at('tile/entries/001')), ['log-missing tile/entries/001 256']],
    [
      'a missing tile and bundle',
      (_, at) => {
        rmSync(at('tile/entries/001'));
        rmSync(at('tile/0/001'));
      },
      ['log-missing tile/entries/001 256', 'log-missing tile/0/001'],
    ],
    [
      'a truncated tile',
      (_, at) => truncateSync(at('tile/0/001'), 8000),
      ['log-tile-invalid tile/0/001', 'log-tile-invalid tile/0/001'],
    ],
    [
      'swapped tiles and bundles',
      (_, at) => {
        swapFiles(at('tile/0/000'), at('tile/0/001'));
        swapFiles(at('tile/entries/000'), at('tile/entries/001'));
      },
      [
        'log-record-invalid tile/entries/000 0',
        'proof-invalid checkpoints/350',
        'log-record-invalid tile/entries/001 256',
      ],
    ],
    [
      'swapped tiles',
      (_, at) => swapFiles(at('tile/0/000'), at('tile/0/001')),
      ['log-tile-invalid tile/0/000 0', 'log-tile-invalid tile/0/001 256'],
    ],
    [
      'a bundle as large as a disk',
      (_, at) => truncateSync(at('tile/entries/001'), 2 ** 40),
      ['file-invalid tile/entries/001', 'log-missing tile/entries/001 256'],
    ],
    [
      'a checkpoint as large as a disk',
      (_, at) => truncateSync(at('checkpoint'), 2 ** 40),
      ['file-invalid checkpoint'],
    ],
    [
      'a rolled back checkpoint',
      (_, at) => copyFileSync(at('checkpoints/350'), at('checkpoint')),
      ['log-rolled-back checkpoint'],
    ],
    [
      'a checkpoint under another name',
      (_, at) => swapFiles(at('checkpoints/350'), at('checkpoints/700')),
      ['log-export-invalid checkpoints/350', 'log-export-invalid checkpoints/700'],
    ],
    [
      'a checkpoint of another root',
      (_, at) => changeFile(at('checkpoints/350'), (note) => note.toString().replace(/\n350\n./, '\n350\nA')),
      ['signature-invalid checkpoints/350'],
    ],
    [
      'a checkpoint without the identity line',
      (_, at) => changeFile(at('checkpoints/350'), (note) => withoutLine(note, 0)),
      ['log-checkpoint-invalid checkpoints/350'],
    ],
    [
      'a checkpoint without the line of the epoch key',
      (_, at) => changeFile(at('checkpoints/350'), (note) => withoutLine(note, 1)),
      ['log-checkpoint-invalid checkpoints/350'],
    ],
    [
      'a checkpoint with Ed25519 only',
      (_, at) => changeFile(at('checkpoints/350'), (note) => withoutLine(Buffer.from(withoutLine(note, 0)), 0)),
      ['log-checkpoint-invalid checkpoints/350'],
    ],
    ['no checkpoint', (_, at) => rmSync(at('checkpoint')), ['log-missing checkpoint']],
    [
      'other verifier keys',
      (_, at) => changeFile(at('vkeys.txt'), (keys) => keys.toString().split('\n').slice(1).join('\n')),
      ['log-export-invalid vkeys.txt'],
    ],
    [
      'a proof of another leaf',
      (_, at) => renameSync(at('proofs/699.tlog-proof'), at('proofs/698.tlog-proof')),
      ['log-export-invalid proofs/698.tlog-proof', 'log-missing proofs/699.tlog-proof'],
    ],
    [
      'a changed consistency proof',
      (_, at) => changeFile(at('consistency/350-700.add-checkpoint'), (body) => body.toString().replace(/\n./, '\nA')),
      ['proof-invalid consistency/350-700.add-checkpoint'],
    ],
    ['the statement of another epoch', (made, at) => swapFiles(at('epoch'), at(`${old(made)}/epoch`)), []],
    [
      'a link in place of a file',
      (_, at) => {
        renameSync(at('tile/0/001'), at('tile/0/other'));
        symlinkSync('other', at('tile/0/001'));
      },
      ['file-invalid tile/0/001', 'log-missing tile/0/001'],
    ],
    [
      'a pipe in place of a file',
      (_, at) => {
        rmSync(at('checkpoints/350'));
        execFileSync('mkfifo', [at('checkpoints/350')]);
      },
      ['file-invalid checkpoints/350'],
    ],
    [
      'a manifest that points outside',
      (_, at) => changeFile(at('manifest.json'), (json) => json.toString().replace('"checkpoint":', '"../../x":')),
      ['schema-invalid manifest.json'],
    ],
    ['a damaged manifest', (_, at) => writeFileSync(at('manifest.json'), '{}'), ['schema-invalid manifest.json']],
    [
      'an epoch under the name of another',
      (made, at) => renameSync(at(old(made)), at(`earlier/${'0'.repeat(32)}`)),
      [`log-export-invalid earlier/${'0'.repeat(32)}/epoch`],
    ],
    [
      'an epoch twice',
      (made, at) => cpSync(at(old(made)), at(`epochs/${made.epochs[0]!.id}`), { recursive: true }),
      [(made) => `log-export-invalid epochs/${made.epochs[0]!.id}/epoch`],
    ],
  ];
  for (const [what, damage, expected] of cases) {
    const one = made(t);
    damage(one, (path) => join(one.folder, path));
    const report = verified(one);
    t.equal(report.ok, false, what);
    const places = expected.map((place) => (typeof place === 'string' ? place : place(one)));
    t.same(placesOf(report).slice(0, places.length), places, what);
    if (places.length < 3) t.ok(report.failureCount <= 12, `${what}: not more than follows from it`);
  }
});

function withoutLine(note: Buffer, line: number): string {
  const [text, lines] = note.toString().split('\n\n');
  return `${text}\n\n${lines!.split('\n').toSpliced(line, 1).join('\n')}`;
}
