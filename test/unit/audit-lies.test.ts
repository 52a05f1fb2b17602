/** A relay that lies and signs it: what only the chain of epochs, an earlier export or a log receipt gives away. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { utf8 } from '../../protocol/bytes.ts';
import { nativeEngine as engine } from '../../protocol/engine/native.ts';
import type { EpochEvent } from '../../protocol/epoch.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import { formatLogEvidence, type LogEvidence } from '../../protocol/log-evidence.ts';
import { type LogReceipt, signLogReceipt } from '../../protocol/log-receipt.ts';
import { blockCommitment, encodeLogRecord } from '../../protocol/log-record.ts';
import { leafHash } from '../../protocol/merkle.ts';
import { fromHex, toBase64Url } from '../../protocol/text.ts';
import { checkExport, type ExportReport } from '../../tools/audit/export-check.ts';
import {
  type ExportPlan,
  type MadeEpoch,
  type MadeExport,
  makeAuditExport,
  RELAY,
  writeEpoch,
  writeManifest,
} from '../fixtures/audit-export.ts';
import { logSigners } from '../fixtures/log.ts';
import { seed } from '../fixtures/protocol.ts';

function made(t: Test, plan: Partial<ExportPlan> = {}): MadeExport {
  return makeAuditExport(join(t.testdir(), 'export'), { records: [40, 300], ...plan });
}

function check(made: MadeExport, more: { against?: string; receipts?: string } = {}): ExportReport {
  return checkExport({ engine, folder: made.folder, logPin: made.logPin, ...more });
}

/** `code file` of each failure, without the path of the epoch. */
function found({ failures }: ExportReport): string[] {
  return failures.map(({ code, file }) => `${code} ${file.replace(/[0-9a-f]{32}/, 'ID')}`);
}

/** The plan of epochs whose second one says something else of the first. */
function saying(
  change: (prev: Extract<PreviousEpoch, { origin: string }>) => Partial<PreviousEpoch>,
): Partial<ExportPlan> {
  return {
    opening: (epoch, event): EpochEvent => {
      const { prev } = event.obj;
      if (epoch === 0 || prev.source === 'none') return event;
      return { ...event, obj: { ...event.obj, prev: { ...prev, ...change(prev) } as PreviousEpoch } };
    },
  };
}

const OTHER_ROOT = toBase64Url(seed('another root'));

t.test('an epoch that says what is not so of the one before', async (t) => {
  const cases: readonly [string, Partial<ExportPlan>, string[]][] = [
    ['a shorter end than was signed', saying(() => ({ lastSignedSize: 20, tailSize: 20 })), ['log-rolled-back epoch']],
    ['another root of the last head', saying(() => ({ lastSignedRoot: OTHER_ROOT })), ['log-forked epoch']],
    ['another root of the end', saying(() => ({ tailRoot: OTHER_ROOT })), ['log-forked epoch']],
  ];
  for (const [what, plan, expected] of cases) {
    const report = check(made(t, plan));
    t.same(
      [...new Set(found(report))].filter((place) => expected.includes(place)),
      expected,
      what,
    );
    t.equal(report.ok, false, what);
  }
  const older = made(t, {
    opening: (epoch, event) => ({
      ...event,
      obj: { ...event.obj, config: { ...event.obj.config, version: 3 - epoch } },
    }),
  });
  t.same(found(check(older)), ['log-rolled-back epoch'], 'a configuration that went back');
});

t.test('two epochs with one predecessor', async (t) => {
  let first: PreviousEpoch | undefined;
  const report = check(
    made(t, {
      records: [40, 50, 60],
      live: true,
      opening(epoch, event) {
        if (epoch === 1) first = event.obj.prev;
        return epoch < 2 ? event : { ...event, obj: { ...event.obj, prev: first! } };
      },
    }),
  );
  t.match(found(report), [/^log-forked epochs\/ID\/epoch$/]);
  t.match(report.failures[0]!.detail, /both follow/);
});

t.test('a cloned identity: two logs of one key at a time, neither of which leads to the other', async (t) => {
  const anew = (shiftMs: number, tq: EpochEvent['tq'] = 'ntp'): Partial<ExportPlan> => ({
    records: [2000, 50],
    live: true,
    opening: (epoch, event) =>
      epoch === 0 ? event : { ...event, t: event.t - shiftMs, tq, obj: { ...event.obj, prev: { source: 'none' } } },
  });
  const cloned = check(made(t, anew(120_000)));
  t.match(found(cloned), ['log-forked epochs/ID/epoch']);
  t.match(
    cloned.failures[0]!.detail,
    /one identity had two logs at a time: .* went on until .* neither leads to the other/,
  );
  const told = { ok: true, notices: [/2 epochs know of none before them/] };
  t.match(check(made(t, anew(0))), told, 'one after the other: a power cut');
  t.match(check(made(t, anew(120_000, 'build'))), told, 'by a clock that says nothing');
  t.match(check(made(t, { records: [40, 50, 60], live: true })).notices, []);
});

t.test('keys that are not those of the relay', async (t) => {
  const cloned = made(t, { signers: (_, own) => ({ ...own, 'ml-dsa-65': logSigners(engine, 'clone')['ml-dsa-65'] }) });
  t.match(check(cloned), { ok: false, epochs: [] });
  t.match(new Set(check(cloned).failures.map(({ code }) => code)), new Set(['log-epoch-invalid']));
});

t.test('records that are no records, in the tree all the same', async (t) => {
  const changed = (from: string | RegExp, to: string) => (bytes: Uint8Array) =>
    Buffer.from(Buffer.from(bytes).toString().replace(from, to));
  const cases: readonly [string, (bytes: Uint8Array) => Uint8Array, string][] = [
    ['another action', changed('"transfer.release"', '"transfer.reread"'), 'log-record-invalid'],
    ['another number', changed('"eid":403', '"eid":404'), 'schema-invalid'],
    ['the index of another', changed('"i":7', '"i":8'), 'log-record-invalid'],
    ['white space', changed('"i":7', '"i": 7'), 'json-not-canonical'],
    ['a field more', changed('"v":1', '"v":1,"w":1'), 'schema-invalid'],
    ['a time before', changed(/"t":\d+/, '"t":1'), 'log-record-invalid'],
    ['no text', () => Uint8Array.of(0xff, 0xfe), 'json-invalid'],
    ['nothing', () => new Uint8Array(0), 'json-invalid'],
    ['too much', () => new Uint8Array(60_000).fill(0x20), 'json-invalid'],
  ];
  for (const [what, change, code] of cases) {
    const report = check(made(t, { records: [20], record: (_, i, bytes) => (i === 7 ? change(bytes) : bytes) }));
    t.match(
      report,
      { ok: false, failureCount: 1, failures: [{ code, file: 'tile/entries/000.p/20', index: 7 }] },
      what,
    );
    t.equal(report.epochs[0]!.records, 19, 'the others hold');
  }
});

t.test('against an earlier export: growth holds; a rollback, a fork and a lost epoch are told', async (t) => {
  const work = t.testdir();
  const make = (name: string, plan: Partial<ExportPlan>) =>
    makeAuditExport(join(work, name), { records: [40, 300], ...plan });
  const earlier = make('earlier', {});
  const later = make('later', { records: [40, 300], heads: (_, records) => [Math.ceil(records / 3), records] });
  const longer = make('longer', { records: [40, 500] });
  t.match(check(later, { against: earlier.folder }), { ok: true, failures: [] });
  t.match(check(longer, { against: earlier.folder }), { ok: true, failures: [] }, 'it grew');
  const back = check(earlier, { against: longer.folder });
  t.same(found(back), ['log-rolled-back checkpoints/300']);
  const edited = (_: number, i: number, bytes: Uint8Array) =>
    i === 5 ? Buffer.from(Buffer.from(bytes).toString().replace('"up":1500', '"up":1501')) : bytes;
  const forked = make('forked', { records: [40, 500], record: edited });
  t.match(check(forked), { ok: true }, 'alone nothing gives it away');
  t.same(
    [...new Set(found(check(forked, { against: earlier.folder })).map((place) => place.split(' ')[0]))],
    ['log-forked'],
  );
  t.match(check(make('first', { records: [40] }), { against: earlier.folder }), {
    ok: true,
    notices: [/signed up to 300, is in the earlier export only/],
  });
});

t.test('what the log says is gone is a notice, and never counted', async (t) => {
  const gone = (origin: string, below: number) => (epoch: number, i: number, bytes: Uint8Array) => {
    if (epoch === 0 || i !== 3) return bytes;
    const { n, t, up } = JSON.parse(Buffer.from(bytes).toString());
    const common = { i, n, t, tq: 'ntp', up, res: 'success', src: { id: RELAY, k: 'relay' } } as const;
    return encodeLogRecord({ ...common, act: 'prune', obj: { basis: 'closed', below, origin } });
  };
  const [first] = makeAuditExport(join(t.testdir(), 'x'), { records: [600, 20] }).epochs;
  for (const [below, ok] of [
    [600, true],
    [400, false],
  ] as const) {
    const one = made(t, { records: [600, 20], record: gone(first!.origin, below) });
    const old = one.epochs[0]!;
    rmSync(join(old.folder, 'tile/entries'), { recursive: true });
    writeManifest(one.folder, one.epochs);
    const report = check(one);
    t.match(report, { ok, epochs: [{ leaves: 600, records: 0, heads: 2, unarchived: [[0, 600]] }, { records: 20 }] });
    t.match(ok ? report.notices : found(report), [ok ? /leaves 0 to 599 .* the log says so/ : /^log-missing/]);
    rmSync(join(old.folder, 'tile'), { recursive: true });
    writeManifest(one.folder, one.epochs);
    t.match(check(one), { ok, epochs: [{ leaves: 0, records: 0, heads: 0, unarchived: [[0, 600]] }, {}] });
  }
});

t.test('a live stick: what its journal has is told, and not counted', async (t) => {
  const one = made(t, { records: [300], live: true });
  const epoch = one.epochs[0]!;
  for (const level of ['entries', '0']) rmSync(join(epoch.folder, 'tile', level, '001.p'), { recursive: true });
  rmSync(join(epoch.folder, 'tile', '1'), { recursive: true });
  t.equal(check(one).ok, false, 'without a journal they are missing');
  mkdirSync(join(epoch.folder, 'journal'));
  const report = check(one);
  t.match(report, { ok: true, epochs: [{ size: 300, leaves: 256, records: 256, heads: 1, unarchived: [[256, 300]] }] });
  t.ok(report.notices.some((notice) => /leaves 256 to 299 .* its journal is not read/.test(notice)));
  rmSync(join(epoch.folder, 'tile', 'entries', '000'));
  t.equal(check(one).ok, false, 'a full bundle is no part of the journal');
});

t.test('leaves that were never signed are proved by the next epoch, or told of', async (t) => {
  const plan: Partial<ExportPlan> = { records: [300, 20], heads: (epoch, records) => [epoch === 0 ? 290 : records] };
  t.match(check(made(t, plan)), { ok: true, epochs: [{ size: 290, leaves: 300, records: 300 }, {}] });
  const one = made(t, plan);
  const old = one.epochs[0]!;
  const short: MadeEpoch = { ...old, records: old.records.slice(0, 290), tree: treeUpTo(t, old, 290) };
  rmSync(join(old.folder, 'tile'), { recursive: true });
  writeEpoch(short);
  writeManifest(one.folder, one.epochs);
  t.match(check(one), { ok: true, notices: [/leaves 290 to 299 were never signed and are not archived/] });
});

function treeUpTo(t: Test, { records }: MadeEpoch, size: number): MadeEpoch['tree'] {
  return makeAuditExport(join(t.testdirName, 'short'), {
    records: [size],
    record: (_, i) => records[i]!,
    opening: (_, event) => event,
  }).epochs[0]!.tree;
}

t.test('log receipts: kept, broken, of another log, not due', async (t) => {
  const committed = (bytes: Uint8Array): Uint8Array => {
    const c = blockCommitment(engine, seed('salt'), seed('block'));
    return Buffer.from(
      Buffer.from(bytes)
        .toString()
        .replace(/"c":"[^"]*"/, `"c":"${c}"`),
    );
  };
  const one = made(t, { records: [300], record: (_, i, bytes) => (i === 9 ? committed(bytes) : bytes) });
  const epoch = one.epochs[0]!;
  const folder = join(one.folder, '..', 'receipts');
  mkdirSync(folder);
  const receiptOf = (index: number, change: Partial<LogReceipt> = {}): Uint8Array => {
    const record = JSON.parse(Buffer.from(epoch.records[index % 300]!).toString());
    return signLogReceipt(engine, epoch.signers['ml-dsa-44'], {
      originHash: engine.sha256(utf8(epoch.origin)),
      transferId: fromHex(record.obj.x, 16),
      index,
      leafHash: leafHash(engine, epoch.records[index % 300]!),
      timeMs: record.t,
      mode: 'best-effort',
      withinSeconds: 60,
      ...change,
    });
  };
  const blockSha256 = seed('block');
  const salt = seed('salt');
  const evidence = (index: number, change: Partial<LogEvidence> = {}): Uint8Array =>
    formatLogEvidence({ blockSha256, receipt: receiptOf(index), record: epoch.records[index]!, salt, ...change });
  const lateMs = epoch.heads.at(-1)!.seconds * 1000;
  const cases: readonly [string, Uint8Array, 'held' | 'open' | string][] = [
    ['kept', receiptOf(7), 'held'],
    ['several', Buffer.concat([receiptOf(8), receiptOf(9)]), 'held'],
    ['another-leaf', receiptOf(7, { leafHash: seed('x') }), 'proof-invalid'],
    ['another-transfer', receiptOf(7, { transferId: new Uint8Array(16) }), 'proof-invalid'],
    ['another-time', receiptOf(7, { timeMs: 5 }), 'proof-invalid'],
    ['1-aa.log-receipt', evidence(9), 'held'],
    ['2-aa.log-receipt', evidence(9, { blockSha256: seed('another block') }), 'log-receipt-invalid'],
    ['3-aa.log-receipt', evidence(9, { record: epoch.records[12]! }), 'log-receipt-invalid'],
    ['4-aa.log-receipt', Buffer.from('{}'), 'schema-invalid'],
    ['not-due', receiptOf(301, { timeMs: lateMs - 30_000 }), 'open'],
    ['overdue', receiptOf(301, { timeMs: lateMs - 61_000 }), 'proof-invalid'],
    ['another-log', receiptOf(7, { originHash: seed('y') }), 'open'],
    ['changed', receiptOf(7).fill(1, 40, 41), 'log-receipt-invalid'],
    ['no-receipt', Buffer.from('x'), 'log-receipt-invalid'],
    ['empty', new Uint8Array(0), 'log-receipt-invalid'],
  ];
  for (const [name, bytes, expected] of cases) {
    rmSync(folder, { recursive: true });
    mkdirSync(folder);
    writeFileSync(join(folder, name), bytes);
    const report = check(one, { receipts: folder });
    if (expected === 'held' || expected === 'open') {
      t.match(report, { ok: true, failures: [] }, name);
      t.ok(report.receipts![expected] >= 1, name);
    } else t.match(report.failures, [{ code: expected, file: `receipts/${name}` }], name);
  }
});

t.test('an older epoch in the place of the newest', async (t) => {
  const one = made(t);
  const [old] = one.epochs;
  const at = (path: string): string => join(one.folder, path);
  renameSync(old!.folder, at('../old'));
  renameSync(one.folder, at('../new'));
  renameSync(at('../old'), one.folder);
  mkdirSync(at('earlier'));
  renameSync(at('../new'), at(`earlier/${one.epochs[1]!.id}`));
  t.ok(found(check(one)).includes('log-export-invalid epoch'));
});
