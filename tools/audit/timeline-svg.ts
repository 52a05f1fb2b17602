/** A timeline as an SVG: a bar a step, its categories one above the other, readable in print and without colours by its legend. */
import { CATEGORIES, type Category } from '../../protocol/log-action.ts';
import type { ActivityReport } from './activity-report.ts';

const [WIDTH, HEIGHT] = [960, 260];
const PLOT = { left: 56, top: 12, right: 8, bottom: 64 };
const LABEL_WIDTH = 110;
const COLOURS: Readonly<Record<Category, string>> = {
  access: '#0b6fb8',
  request: '#b3261e',
  os: '#7a4fb5',
  conduit: '#6b7785',
  backup: '#2b7a3d',
  config: '#c26a00',
  recon: '#d1498b',
  audit: '#2a9d8f',
};

/** The timeline of a report. */
export function timelineSvg(timeline: ActivityReport['timeline'], stepMs: number): string {
  if (timeline.length === 0) return '<p>No records in this period.</p>';
  const most = Math.max(...timeline.map(({ counts }) => totalOf(counts)), 1);
  const [plotWidth, plotHeight] = [WIDTH - PLOT.left - PLOT.right, HEIGHT - PLOT.top - PLOT.bottom];
  const barWidth = plotWidth / timeline.length;
  const bars = timeline.map(({ startMs, counts }, i) => {
    let y = PLOT.top + plotHeight;
    const parts = CATEGORIES.filter((category) => counts[category] > 0).map((category) => {
      const height = (counts[category] / most) * plotHeight;
      y -= height;
      const box = `x="${fixed(PLOT.left + i * barWidth)}" y="${fixed(y)}" width="${fixed(barWidth * 0.9)}" height="${fixed(height)}"`;
      return `<rect ${box} fill="${COLOURS[category]}"><title>${timeText(startMs, stepMs)}: ${counts[category]} ${category}</title></rect>`;
    });
    return parts.join('');
  });
  const ticks = [0, 0.5, 1].map((part) => {
    const y = fixed(PLOT.top + plotHeight * (1 - part));
    const line = `<line x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y}" y2="${y}" stroke="#d5dae0"/>`;
    return `${line}<text x="${PLOT.left - 6}" y="${y}" text-anchor="end" dominant-baseline="middle">${Math.round(most * part)}</text>`;
  });
  const every = Math.max(1, Math.ceil(timeline.length / 8));
  const times = timeline
    .map(({ startMs }, i) => ({ startMs, x: fixed(PLOT.left + i * barWidth) }))
    .filter(({ x }, i) => i % every === 0 && Number(x) < WIDTH - LABEL_WIDTH)
    .map(({ startMs, x }) => `<text x="${x}" y="${PLOT.top + plotHeight + 16}">${timeText(startMs, stepMs)}</text>`);
  const used = CATEGORIES.filter((category) => timeline.some(({ counts }) => counts[category] > 0));
  const legend = used.map((category, i) => {
    const x = PLOT.left + i * 100;
    const y = HEIGHT - 22;
    return `<rect x="${x}" y="${y}" width="11" height="11" fill="${COLOURS[category]}"/><text x="${x + 16}" y="${y + 10}">${category}</text>`;
  });
  const label = `records per ${stepText(stepMs)} by category`;
  return [
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}" font-size="11" font-family="system-ui,sans-serif" fill="#1b1f24">`,
    `<title>${label}</title>`,
    ...ticks,
    ...bars,
    ...times,
    ...legend,
    '</svg>',
  ].join('\n');
}

function totalOf(counts: Readonly<Record<Category, number>>): number {
  return CATEGORIES.reduce((sum, category) => sum + counts[category], 0);
}

function fixed(value: number): string {
  return String(Math.round(value * 100) / 100);
}

function timeText(ms: number, stepMs: number): string {
  const text = new Date(ms).toISOString();
  return stepMs >= 86_400_000 ? text.slice(0, 10) : text.slice(0, 16).replace('T', ' ');
}

function stepText(stepMs: number): string {
  const [minutes, hours, days] = [stepMs / 60_000, stepMs / 3_600_000, stepMs / 86_400_000];
  if (days >= 1) return days === 1 ? 'day' : `${days} days`;
  if (hours >= 1) return hours === 1 ? 'hour' : `${hours} hours`;
  return minutes === 1 ? 'minute' : `${minutes} minutes`;
}
