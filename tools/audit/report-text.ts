/** A report in its three forms: text for a terminal, CSV for a spreadsheet, HTML for a reader and a printer. */
import { ACTIONS } from '../../protocol/log-action.ts';
import type { LogEvent } from '../../protocol/log-record.ts';
import { escapeMarkup } from '../lib/markup.ts';
import { printable } from '../lib/printable.ts';
import type { ActivityReport, Listed } from './activity-report.ts';
import { timelineSvg } from './timeline-svg.ts';

/** What stands above the counts: whether the records can be trusted. */
export interface ReportHead {
  readonly folder: string;
  readonly verified: boolean;
  readonly failureCount: number;
  readonly notices: readonly string[];
}

const iso = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');

export function textReport(head: ReportHead, report: ActivityReport): string {
  const { actions, listed, noted } = report;
  const width = Math.max(0, ...actions.map(({ act }) => act.length));
  const more = noted - listed.length;
  return lines([
    ...headLines(head, report),
    '',
    ...actions.map(({ act, result, count }) => `${String(count).padStart(9)}  ${act.padEnd(width)}  ${result}`),
    '',
    'Failures, refusals and changes:',
    ...listed.map((each) => `  ${listedCells(each).join('  ')}`),
    ...(more > 0 ? [`  and ${more} more`] : []),
    ...(noted === 0 ? ['  none'] : []),
  ]);
}

/** One line a listed record, after one a counted action; comma-separated (RFC 4180). */
export function csvReport({ verified }: ReportHead, { actions, listed }: ActivityReport): string {
  return [
    ['kind', 'verified', 'time', 'category', 'action', 'result', 'count', 'source', 'object', 'epoch', 'leaf'],
    ...actions.map(({ act, category, result, count }) => [
      'count',
      verified,
      '',
      category,
      act,
      result,
      count,
      '',
      '',
      '',
      '',
    ]),
    ...listed.map(({ origin, event }) => [
      'record',
      verified,
      iso(event.t),
      ACTIONS[event.act].category,
      event.act,
      event.res,
      '',
      printable(event.src.id),
      objectText(event),
      origin,
      event.i,
    ]),
  ]
    .map((cells) => `${cells.map((cell) => csvCell(String(cell))).join(',')}\r\n`)
    .join('');
}

/** A page of its own, without script: texts of records are escaped. */
export function htmlReport(head: ReportHead, report: ActivityReport): string {
  const { actions, listed, noted, timeline, stepMs } = report;
  const [title = '', records = '', , ...notices] = headLines(head, report);
  const row = (cells: readonly (string | number)[]): string =>
    `<tr>${cells.map((cell) => `<td>${escapeMarkup(String(cell))}</td>`).join('')}</tr>`;
  return lines([
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    `<title>${escapeMarkup(title)}</title><style>${STYLE}</style></head><body>`,
    `<h1>${escapeMarkup(title)}</h1>`,
    `<p class="${head.verified ? 'good' : 'bad'}">${escapeMarkup(verdict(head))}</p>`,
    `<ul>${[records, ...notices].map((fact) => `<li>${escapeMarkup(fact)}</li>`).join('')}</ul>`,
    '<h2>When</h2>',
    timelineSvg(timeline, stepMs),
    '<h2>What</h2>',
    '<table><thead><tr><th>category</th><th>action</th><th>result</th><th>records</th></tr></thead><tbody>',
    ...actions.map(({ act, category, result, count }) => row([category, act, result, count])),
    '</tbody></table>',
    `<h2>Failures, refusals and changes (${noted})</h2>`,
    '<table><thead><tr><th>time</th><th>action</th><th>result</th><th>source</th><th>object</th><th>leaf</th></tr></thead><tbody>',
    ...listed.map((each) => row(listedCells(each))),
    '</tbody></table>',
    noted > listed.length ? `<p>and ${noted - listed.length} more</p>` : '',
    '</body></html>',
  ]);
}

function headLines(head: ReportHead, { period, records }: ActivityReport): string[] {
  const { fromMs, belowMs } = period;
  return [
    `Audit log of ${printable(head.folder)}, ${iso(fromMs)} to ${iso(belowMs)}`,
    `${records} log records that hold`,
    verdict(head),
    ...head.notices.map((notice) => `note: ${notice}`),
  ];
}

function verdict({ verified, failureCount }: ReportHead): string {
  if (verified) return 'VERIFIED: all that is here holds.';
  return `NOT VERIFIED: ${failureCount} failures; "ghostpipe-audit verify" names each. Records that do not hold are left out.`;
}

function listedCells({ event }: Listed): string[] {
  return [iso(event.t), event.act, event.res, printable(event.src.id), objectText(event), String(event.i)];
}

/** The object of a record; of an epoch statement what a reader can use: its keys fill pages. */
function objectText(event: LogEvent): string {
  if (event.act !== 'log.epoch.open') return printable(JSON.stringify(event.obj));
  const { boot, origin, prev, software } = event.obj;
  const before = prev.source === 'none' ? 'none' : prev.origin;
  return printable(JSON.stringify({ boot, origin, before, source: prev.source, software }));
}

/** A cell that a spreadsheet takes for text: no formula, whatever a record says. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function lines(all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}

const STYLE = `
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1f24;background:#fff}
h1{font-size:1.3rem}h2{font-size:1.05rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #d5dae0;padding:.3rem .6rem;text-align:left;vertical-align:top}
td:last-child,th:last-child{text-align:right}td{white-space:nowrap;font-variant-numeric:tabular-nums}td:nth-child(n+4):nth-last-child(n+2){white-space:normal;overflow-wrap:anywhere}
.good,.bad{padding:.6rem 1rem;border-left:.35rem solid;font-weight:600}.good{border-color:#2b7a3d;background:#eef7f0}.bad{border-color:#b3261e;background:#fdeeed}
svg{width:100%;height:auto}@media print{body{margin:0;font-size:11px}thead{display:table-header-group}}
`;
