/** Reports: what is counted, what is listed, and that no record can be more than text in them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { LogEvent } from '../../protocol/log-record.ts';
import { ActivityCount } from '../../tools/audit/activity-report.ts';
import { main } from '../../tools/audit/main.ts';
import { csvReport, htmlReport, textReport } from '../../tools/audit/report-text.ts';
import { changeFile, DIDS, makeAuditExport } from '../fixtures/audit-export.ts';

const DAY = 86_400_000;
const START = Date.UTC(2026, 10, 1);
const HEAD = { folder: '/srv/plant-1', verified: true, failureCount: 0, notices: [] };

function event(t: number, part: Partial<LogEvent> & Pick<LogEvent, 'act' | 'obj' | 'res'>): LogEvent {
  return { i: 1, n: 'x', src: { id: DIDS[0]!, k: 'device' }, t, tq: 'ntp', up: 1, ...part } as LogEvent;
}
const delivered = (t: number) => event(t, { act: 'transfer.delivered', obj: { x: 'ab'.repeat(16) }, res: 'success' });
const failed = (t: number) => event(t, { act: 'auth.failed', obj: { count: 3, zone: 'ot' }, res: 'denied' });

t.test('records of the period are counted by action, and failures listed one by one', async (t) => {
  const count = new ActivityCount({ fromMs: START, belowMs: START + 30 * DAY });
  for (let day = -1; day < 31; day++) count.add('o', delivered(START + day * DAY + 1000));
  count.add('o', failed(START + DAY));
  count.add(
    'o',
    event(START + 2 * DAY, { act: 'policy.changed', obj: { policy: 'roster', version: 2 }, res: 'success' }),
  );
  const report = count.report;
  t.equal(report.records, 32);
  t.strictSame(
    report.actions.map(({ act, count }) => [act, count]),
    [
      ['auth.failed', 1],
      ['transfer.delivered', 30],
      ['policy.changed', 1],
    ],
  );
  t.same(
    report.listed.map(({ event: { act } }) => act),
    ['auth.failed', 'policy.changed'],
  );
  t.equal(
    report.timeline.reduce((sum, { counts }) => sum + counts.conduit, 0),
    30,
    'no record is lost in the timeline',
  );
  t.ok(report.timeline.length <= 120);
  t.match(textReport(HEAD, report), /VERIFIED.*30 {2}transfer\.delivered.*auth\.failed {2}denied/s);
});

t.test('an empty period, and one of years', async (t) => {
  const none = new ActivityCount({});
  t.match(textReport(HEAD, none.report), /0 log records.*none/s);
  t.match(htmlReport(HEAD, none.report), /No records in this period/);
  const years = new ActivityCount({});
  for (let day = 0; day < 1500; day += 10) years.add('o', failed(START + day * DAY));
  for (let i = 0; i < 1500; i++) years.add('o', failed(START));
  const { timeline, stepMs, listed, noted } = years.report;
  t.ok(timeline.length <= 120 && stepMs >= DAY);
  t.equal(
    timeline.reduce((sum, { counts }) => sum + counts.access, 0),
    noted,
  );
  t.same([listed.length, noted], [1000, 1650]);
  t.match(textReport(HEAD, years.report), /and 650 more/);
});

t.test('a hostile record stays text, in a page and in a spreadsheet', async (t) => {
  const count = new ActivityCount({});
  const id = '=HYPERLINK("http://x")<script>alert(1)</script>\u202e';
  count.add('o', { ...failed(START), src: { id, k: 'peer' } } as LogEvent);
  const head = { ...HEAD, folder: '<b>"x"</b>', verified: false, failureCount: 3, notices: ['<i>'] };
  const page = htmlReport(head, count.report);
  t.notMatch(page, /<script|<b>|<i>|\u202e/);
  t.match(page, /class="bad">NOT VERIFIED: 3 failures/);
  const csv = csvReport(head, count.report);
  t.match(csv, /"'=HYPERLINK\(""http/);
  t.notMatch(csv, /\u202e/);
});

async function run(t: Test, ...words: string[]): Promise<{ code: number; out: string; err: string }> {
  const [out, err] = [t.capture(process.stdout, 'write', () => true), t.capture(process.stderr, 'write', () => true)];
  const code = await main(words);
  const [said, complained] = [out, err].map((capture) => {
    capture.restore();
    return capture()
      .map(({ args }) => String(args[0]))
      .join('');
  });
  return { code, out: said!, err: complained! };
}

t.test('the command: three forms, periods, and a log that does not hold', async (t) => {
  const { folder, logPin } = makeAuditExport(join(t.testdir(), 'export'), { records: [40, 300] });
  const key = ['--log-key', logPin];
  const text = await run(t, 'report', folder, ...key);
  t.equal(text.code, 0, text.err);
  t.match(text.out, /340 log records that hold\nVERIFIED/);
  const json = await run(t, 'report', folder, ...key, '--json', '--format', 'html', '--out', join(folder, 'r.html'));
  t.match(JSON.parse(json.out), { ok: true, records: 340, period: { fromMs: 1_749_999_960_000 } });
  t.match(readFileSync(join(folder, 'r.html'), 'utf8'), /<svg viewBox/);
  const some = await run(
    t,
    'report',
    folder,
    ...key,
    '--from',
    '2025-06-15T15:06:42Z',
    '--to',
    '2025-06-15T15:06:43Z',
    '--json',
  );
  t.equal(JSON.parse(some.out).records, 10);
  for (const [words, said] of [
    [['--from', 'yesterday'], /--from must be as 2026-11-01/],
    [['--from', '2026-11-02', '--to', '2026-11-01'], /is not before/],
    [['--format', 'pdf'], /--format must be text, csv, html, not "pdf"/],
  ] as const) {
    const { code, err } = await run(t, 'report', folder, ...key, ...words);
    t.equal(code, 2);
    t.match(err, said);
  }
  changeFile(join(folder, 'tile/entries/001.p/44'), (bytes) => bytes.fill('x', 100, 101));
  const bad = await run(t, 'report', folder, ...key, '--format', 'csv');
  t.equal(bad.code, 1);
  t.match(bad.out, /^count,false,/m);
});
