/** What lynis finds in the unpacked root of an image, and what of it policy/image/lynis.yaml does not explain. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { check, list, type Of, object, text } from '../../../protocol/shape.ts';

const POLICY = join(import.meta.dirname, '..', '..', '..', 'policy', 'image', 'lynis.yaml');
const LIMIT_MS = 120_000;

const testId = text('the id of a test of lynis', 8, 9, /^[A-Z]{3,4}-\d{4}$/);
const policy = object({
  tests: list(testId, 1, 100, String),
  waivers: list(object({ id: testId, reason: text('a reason', 20, 300) }), 0, 100, ({ id }) => id),
});
export type LynisPolicy = Of<typeof policy>;

export interface Finding {
  readonly id: string;
  readonly text: string;
}

export function readLynisPolicy(path = POLICY): LynisPolicy {
  return check(policy, parse(readFileSync(path, 'utf8')));
}

/** Runs the tests of the policy on the folder `root`; its report goes into `work`. */
export function lynisFindings(
  { tests }: LynisPolicy,
  root: string,
  work: string,
): { ran: number; findings: Finding[] } {
  const [report, log] = [join(work, 'lynis.dat'), join(work, 'lynis.log')];
  const words = ['audit', 'system', '--forensics', '--rootdir', `${root}/`, '--quick', '--quiet', '--no-colors'];
  const places = ['--no-plugins', '--report-file', report, '--logfile', log, '--tests', tests.join(' ')];
  const { error, stderr } = spawnSync('lynis', [...words, ...places], { timeout: LIMIT_MS, encoding: 'utf8' });
  if (error) throw new Error(`lynis did not run: ${error.message} ${stderr}`);
  const lines = readFileSync(report, 'utf8').split('\n');
  const found = lines.map((line) => /^(?:warning|suggestion)\[\]=([A-Z]{3,4}-\d{4})\|([^|]*)/.exec(line));
  const ran = readFileSync(log, 'utf8').match(/Performing test ID [A-Z]{3,4}-\d{4}/g)?.length ?? 0;
  return { ran, findings: found.filter((match) => match !== null).map(([, id, words]) => ({ id: id!, text: words! })) };
}

/** One sentence for each finding without a waiver, and for each waiver without a finding. */
export function unexplained({ waivers }: LynisPolicy, findings: readonly Finding[]): string[] {
  const ids = new Set(waivers.map(({ id }) => id));
  const found = new Set(findings.map(({ id }) => id));
  return [
    ...findings.filter(({ id }) => !ids.has(id)).map(({ id, text }) => `${id}: ${text}`),
    ...waivers.filter(({ id }) => !found.has(id)).map(({ id }) => `the waiver of ${id} is not needed`),
  ];
}
