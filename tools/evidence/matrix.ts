/** The matrix: one line for each item, for a spreadsheet (RFC 4180). */
import type { ItemVerdict } from './verdict.ts';

const HEAD = ['item', 'fr', 'level', 'topic', 'verdict', 'checks', 'because'];

/** The table as CSV with a head line. No cell begins with a character that a spreadsheet takes for a formula. */
export function matrixCsv(verdicts: readonly ItemVerdict[]): string {
  const rows = verdicts.map(({ item, fr, level, topic, verdict, checks, because }) => [
    item,
    fr,
    String(level),
    topic,
    verdict,
    checks.join(' '),
    because,
  ]);
  return [HEAD, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(text: string): string {
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
