/** What a person reads first: what is open, then how far each foundational requirement goes. */
import { tableLines } from '../lib/table.ts';
import type { System } from './policy/shapes.ts';
import type { EvidenceRecord } from './record.ts';
import { type ItemVerdict, levelsOf, openItems, VERDICTS } from './verdict.ts';

/** What the summary is made from. */
export interface Summarised {
  readonly profile: string;
  readonly level: number;
  readonly verdicts: readonly ItemVerdict[];
  readonly records: readonly EvidenceRecord[];
  readonly system: System;
}

/** How many items up to `level` have each verdict. */
export function countVerdicts(verdicts: readonly ItemVerdict[], level: number): Record<string, number> {
  const targeted = verdicts.filter((each) => each.level <= level);
  return Object.fromEntries(VERDICTS.map((name) => [name, targeted.filter(({ verdict }) => verdict === name).length]));
}

/** The summary as lines of text, open items first. */
export function summaryText({ profile, level, verdicts, records, system }: Summarised): string {
  const open = openItems(verdicts, level);
  const counts = countVerdicts(verdicts, level);
  const targeted = verdicts.filter((each) => each.level <= level).length;
  const [tried, caught] = [sabotages(records, 'tried'), sabotages(records, 'caught')];
  const results = (name: string) => records.filter(({ result }) => result === name).length;
  return [
    `${open.length} of ${targeted} items of ${profile} are open`,
    ...tableLines([['item', 'SL', 'state', 'what is open'], ...open.map(row)]).map((line) => `  ${line}`),
    '',
    'level reached     product alone   with conditions   SL-T',
    ...levelsOf(verdicts).map(
      ({ fr, alone, withConditions }) =>
        `  ${fr}             ${bar(alone)}          ${bar(withConditions)}            ${system.targets[fr]}`,
    ),
    '',
    `${counts.met! + counts['not-applicable']!} of ${targeted} met or proved not to apply; ` +
      `${counts.partial} under conditions, ${counts.inherited} inherited, ` +
      `${counts['not-met']} not met, ${counts['not-evaluated']} not evaluated`,
    `${records.length} checks: ${results('pass')} passed, ${results('fail')} failed, ${results('error')} broke off, ` +
      `${results('not-run')} did not run; ${caught} of ${tried} sabotages caught`,
    'out of scope:',
    ...system.outOfScope.map((each) => `  ${each}`),
    'This supports requirements under the stated conditions. It is no assessment by anybody else.',
    '',
  ].join('\n');
}

function row({ item, level, verdict, because }: ItemVerdict): string[] {
  const short = because.length > 90 ? `${because.slice(0, 87)}...` : because;
  return [item, String(level), verdict, short];
}

function bar(level: number): string {
  return `${'█'.repeat(level)}${'·'.repeat(4 - level)} ${level}`;
}

function sabotages(records: readonly EvidenceRecord[], what: 'tried' | 'caught'): number {
  return records.reduce((sum, { sabotage }) => sum + sabotage[what].length, 0);
}
