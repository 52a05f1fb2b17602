/** Generates docs/problems.md from the catalogue: `node test/structure/make-problems.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROBLEMS } from '../../protocol/problem.ts';

export const PROBLEMS_FILE: string = join(import.meta.dirname, '..', '..', 'docs', 'problems.md');

const INTRODUCTION = `# Problems

Every refusal of Ghost Pipe has one of these codes. A code is stable for ever and is what programs compare; the text
beside it gives the fact with both values, and the third column says how to mend it. The status is that of the relay's
answer (RFC 9457, type \`urn:ghostpipe:problem:CODE\`); codes without one are given by the tools alone.

This page is generated from \`protocol/problem.ts\` by \`node test/structure/make-problems.ts\`.

| code | status | how to mend it |
|---|---|---|
`;

/** The whole page. */
export function problemsPage(): string {
  const rows = Object.entries(PROBLEMS).map(
    ([code, { status, mend }]) => `| \`${code}\` | ${status || ''} | ${mend} |`,
  );
  return `${INTRODUCTION}${rows.join('\n')}\n`;
}

if (import.meta.main) writeFileSync(PROBLEMS_FILE, problemsPage());
