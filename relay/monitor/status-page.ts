/**
 * The status page: for a person in the management zone, on any screen. No script, nothing from elsewhere; the content
 * security policy lets the browser use this one style sheet and nothing else.
 */
import { createHash } from 'node:crypto';
import { html, type Markup } from './html.ts';
import { type DeviceStatus, inWords, type Status } from './status.ts';

const STYLE = html`
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --back: #fff; --line: #d0d7de; --good: #1a7f37;
  --bad: #cf222e; --warn: #9a6700; --bar: #0969da }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --dim: #9198a1; --back: #0d1117; --line: #3d444d;
  --good: #3fb950; --bad: #ff7b72; --warn: #d29922; --bar: #4493f8 } }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink);
  background: var(--back) }
h1 { margin: 0; font-size: 1.4rem } h2 { margin: 1.8rem 0 .4rem; font-size: 1.1rem }
.state { margin: .2rem 0; font-size: 1.4rem; font-weight: 600 }
.ready, .yes { color: var(--good) } .not-ready, .no { color: var(--bad) } .notice { color: var(--warn) }
.use { padding: .5rem .8rem; border: 1px solid var(--warn) }
.dim, dt, th { color: var(--dim) } p { margin: .3rem 0 }
svg { width: 100%; height: 1rem; border: 1px solid var(--line) }
.used { fill: var(--bar) } .burning { fill: var(--warn) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 } dd { margin: 0;
  overflow-wrap: anywhere }
table { width: 100%; border-collapse: collapse } th, td { padding: .3rem .8rem .3rem 0; text-align: left;
  border-bottom: 1px solid var(--line); vertical-align: top } th { font-weight: 400 }
@media (max-width: 40rem) { thead { display: none } tr { display: block; padding: .5rem 0;
  border-bottom: 1px solid var(--line) } td { display: grid; grid-template-columns: 8rem 1fr; border: 0; padding: 0 }
  td::before { content: attr(data-name); color: var(--dim) } td:first-child { display: block; font-weight: 600 }
  td:first-child::before { content: none } }
`;

/** What the answer carries beside the page. */
export const STATUS_PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE.text).digest('base64')}'`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
} as const;

const YES = html`<span class="yes">yes</span>`;
const NO = html`<span class="no">no</span>`;
const NOT_ITS_ROLE = '–';

/** One column of the table of devices. */
interface Column {
  readonly name: string;
  cell(device: DeviceStatus): string | Markup;
}

const COLUMNS: readonly Column[] = [
  { name: 'Device', cell: ({ name }) => name },
  { name: 'Zone', cell: ({ zone }) => zone },
  { name: 'Roles', cell: ({ roles }) => roles.join(', ') },
  { name: 'Registered', cell: ({ registered }) => (registered ? YES : NO) },
  { name: 'Last block', cell: ({ roles, lastBlockSeconds }) => ago(roles.includes('send'), lastBlockSeconds) },
  { name: 'Last claim', cell: ({ roles, lastClaimSeconds }) => ago(roles.includes('receive'), lastClaimSeconds) },
  { name: 'Blocks', cell: blocksOf },
];

/** The whole page. */
export function statusPage(status: Status): string {
  const { useNotice, name, reasons, notices, slots, facts, devices } = status;
  const state = status.status === 'ready' ? 'Ready' : 'Not ready';
  const refresh = Math.max(1, Math.round(status.intervalSeconds));
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${refresh}">
<link rel="icon" href="data:,">
<title>${state}: relay ${name}</title>
<style>${STYLE}</style>
</head>
<body>
${useNotice === undefined ? '' : html`<p class="use">${useNotice}</p>\n`}<h1>Relay ${name}</h1>
<p class="state ${status.status}">${state}</p>
${reasons.map((reason) => html`<p class="not-ready">${reason}</p>\n`)}
${notices.map((notice) => html`<p class="notice">Notice: ${notice}</p>\n`)}
${slots ? slotsPart(slots) : ''}
<h2>Relay</h2>
<dl>
${facts.map((fact) => html`<dt>${fact.name}</dt><dd>${fact.value}</dd>\n`)}</dl>
${devices.length > 0 ? devicesPart(devices) : ''}
<p class="dim">This page renews itself each ${refresh} s.</p>
</body>
</html>
`;
  return page.text;
}

function slotsPart({ free, used, burning }: NonNullable<Status['slots']>): Markup {
  const all = free + used + burning;
  const words = `${used} of ${all} in use, ${burning} being overwritten, ${free} free`;
  return html`<h2>Slots</h2>
<svg viewBox="0 0 ${all} 1" preserveAspectRatio="none" role="img" aria-label="${words}">
<rect class="used" width="${used}" height="1"/><rect class="burning" x="${used}" width="${burning}" height="1"/>
</svg>
<p>${words}</p>`;
}

function devicesPart(devices: readonly DeviceStatus[]): Markup {
  return html`<h2>Devices</h2>
<table>
<thead><tr>${COLUMNS.map(({ name }) => html`<th>${name}</th>`)}</tr></thead>
<tbody>
${devices.map(
  (device) => html`<tr>${COLUMNS.map(({ name, cell }) => html`<td data-name="${name}">${cell(device)}</td>`)}</tr>\n`,
)}</tbody>
</table>`;
}

function ago(hasRole: boolean, seconds: number | null): string {
  if (!hasRole) return NOT_ITS_ROLE;
  return seconds === null ? 'none yet' : `${inWords(seconds)} ago`;
}

function blocksOf({ roles, blocksHeld, blocksWaiting }: DeviceStatus): string {
  const parts = [
    ...(roles.includes('send') ? [`${blocksHeld} held`] : []),
    ...(roles.includes('receive') ? [`${blocksWaiting} waiting`] : []),
  ];
  return parts.join(', ') || NOT_ITS_ROLE;
}
