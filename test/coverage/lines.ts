/** Lines of code, and which of them ran, from the coverage reports of tap (the JSON of istanbul). */
import { stripTypeScriptTypes } from 'node:module';
import { withoutComments } from '../fixtures/source.ts';

/** One file in a report: each statement is one line here, `s` counts how often it ran. */
export interface FileReport {
  readonly statementMap: Readonly<Record<string, { readonly start: { readonly line: number } }>>;
  readonly s: Readonly<Record<string, number>>;
}

/** Numbers (from 1) of the lines that have code: no comment, no type, not only closing brackets. */
export function codeLines(source: string): number[] {
  const lines = withoutComments(stripTypeScriptTypes(source)).split('\n');
  return lines.flatMap((line, index) => (/[^\s\])};,]/.test(line) ? [index + 1] : []));
}

/** The lines of code that ran in none of the reports; a file that was never loaded is in none of them. */
export function linesNotRun(source: string, reports: readonly FileReport[]): number[] {
  const ran = new Set<number>();
  for (const { statementMap, s } of reports) {
    for (const [key, { start }] of Object.entries(statementMap)) if ((s[key] ?? 0) > 0) ran.add(start.line);
  }
  return codeLines(source).filter((line) => !ran.has(line));
}

/** Lines as text: `3-5, 9`. */
export function lineRanges(lines: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const line of lines) {
    const last = ranges.at(-1);
    if (last && last[1] === line - 1) last[1] = line;
    else ranges.push([line, line]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(', ');
}
