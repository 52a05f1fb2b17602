/** Verdicts: what claims and evidence say together. Nothing here can be typed in, and what is missing is never a pass. */
import { entryHash, type Policy } from './policy/policy.ts';
import { type CheckEntry, type Claim, FOUNDATIONS, type Foundation, type Requirement } from './policy/shapes.ts';
import type { EvidenceRecord, Subject } from './record.ts';

export const VERDICTS = ['met', 'not-applicable', 'inherited', 'partial', 'not-met', 'not-evaluated'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** How one item stands. */
export interface ItemVerdict {
  readonly item: string;
  readonly fr: Foundation;
  readonly level: number;
  readonly topic: string;
  readonly verdict: Verdict;
  /** In words, what it rests on or what is open. */
  readonly because: string;
  readonly checks: readonly string[];
}

/** What evidence must be about, and the time by which it must be fresh. */
export interface Judged {
  readonly subject: Subject;
  readonly nowMs: number;
}

const HOUR_MS = 3_600_000;
/** How far the clock of who made the evidence may be ahead. */
const AHEAD_MS = 300_000;

/** What a check says about the subject: passed, failed, or nothing, and why. */
interface Standing {
  readonly result: 'pass' | 'fail' | 'none';
  readonly why: string;
}

/** The verdict of every item, in the order of the catalogue. */
export function judge(policy: Policy, records: readonly EvidenceRecord[], judged: Judged): ItemVerdict[] {
  const checks = new Map(policy.checks.map(({ value }) => [value.id, value]));
  const standings = new Map([...checks].map(([id, entry]) => [id, standingOf(entry, records, judged)]));
  const claims = new Map(policy.claims.map(({ value }) => [value.item, claimOn(judged.subject.board, value)]));
  return policy.requirements.map(({ value }) => {
    const claim = claims.get(value.id);
    const names = claim?.checks?.map(({ id }) => id) ?? [];
    const { id: item, fr, level, topic } = value;
    return { item, fr, level, topic, checks: names, ...verdictOf(value, claim, checks, standings, judged.nowMs) };
  });
}

/** What a claim says of a board: on an image it may rest on more than on somebody's host. */
function claimOn(board: Subject['board'], { image, ...claim }: Claim): Claim {
  if (board === 'host' || !image) return claim;
  const { item, bound } = claim;
  return { item, bound, ...image };
}

function verdictOf(
  requirement: Requirement,
  claim: Claim | undefined,
  checks: ReadonlyMap<string, CheckEntry>,
  standings: ReadonlyMap<string, Standing>,
  nowMs: number,
): { readonly verdict: Verdict; readonly because: string } {
  if (!claim) return { verdict: 'not-evaluated', because: 'there is no claim' };
  const suspect = suspectLink(requirement, claim, checks);
  if (suspect)
    return { verdict: 'not-evaluated', because: `suspect link: ${suspect} changed since the claim was bound` };
  const { kind, gap, inherited, conditions = [] } = claim;
  if (kind === 'gap') return { verdict: 'not-met', because: `${gap!.missing} Plan: ${gap!.plan}` };

  const named = (claim.checks ?? []).map(({ id }) => ({ id, ...standings.get(id)! }));
  const failed = named.filter(({ result }) => result === 'fail');
  if (failed.length > 0) return { verdict: 'not-met', because: failed.map(({ why }) => why).join('; ') };
  const silent = named.filter(({ result }) => result === 'none');
  if (silent.length > 0) return { verdict: 'not-evaluated', because: silent.map(({ why }) => why).join('; ') };
  if (kind === 'inherited') {
    const { party, shows, until } = inherited!;
    if (Date.parse(until) + 24 * HOUR_MS <= nowMs)
      return { verdict: 'not-evaluated', because: `inherited until ${until}` };
    return { verdict: 'inherited', because: `from the ${party} until ${until}: ${shows}` };
  }
  if (named.length === 0) return { verdict: 'not-evaluated', because: 'no check says anything' };
  if (kind === 'partial') return { verdict: 'partial', because: conditions.join(' ') };
  return { verdict: kind === 'not-applicable' ? 'not-applicable' : 'met', because: claim.how };
}

/** The requirement or check that is not the one that the claim was bound to. */
function suspectLink(requirement: Requirement, claim: Claim, checks: ReadonlyMap<string, CheckEntry>) {
  if (entryHash(requirement) !== claim.bound) return requirement.id;
  return claim.checks?.find(({ id, bound }) => !checks.has(id) || entryHash(checks.get(id)!) !== bound)?.id;
}

function standingOf(entry: CheckEntry, records: readonly EvidenceRecord[], judged: Judged): Standing {
  const own = records.filter(({ check }) => check === entry.id);
  const [record, second] = own;
  const none = (why: string): Standing => ({ result: 'none', why: `${entry.id}: ${why}` });
  if (!record) return none('there is no evidence');
  if (second) return none('there are two records');
  const unusable = whyUnusable(entry, record, judged);
  if (unusable) return none(unusable);
  if (record.result === 'fail') return { result: 'fail', why: `${entry.id} failed` };
  if (record.result !== 'pass') return none(`${record.result}${record.detail ? ` (${record.detail})` : ''}`);
  const uncaught = entry.sabotages.filter(({ id }) => !record.sabotage.caught.includes(id));
  if (uncaught.length > 0) return none(`did not catch ${uncaught.map(({ id }) => id).join(', ')}`);
  return { result: 'pass', why: '' };
}

/** Why a record may not count; undefined when it may. */
export function whyUnusable(entry: CheckEntry, record: EvidenceRecord, { subject, nowMs }: Judged): string | undefined {
  for (const key of ['softwareDigest', 'configHash', 'version', 'board', 'imageDigest'] as const) {
    if (record.subject[key] !== subject[key]) return `the evidence is of another ${key}: ${record.subject[key]}`;
  }
  if (record.checkHash !== entryHash(entry)) return `the check changed since: ${record.checkHash}`;
  const ageMs = nowMs - Date.parse(record.endedAt);
  if (ageMs > entry.freshHours * HOUR_MS)
    return `the evidence is of ${record.endedAt}, older than ${entry.freshHours} hours`;
  if (ageMs < -AHEAD_MS) return `the evidence is of ${record.endedAt}, which has not come yet`;
  return undefined;
}

/** The levels that a foundational requirement reaches: 0 to 4, by the product alone and with conditions. */
export interface Reached {
  readonly fr: Foundation;
  readonly alone: number;
  readonly withConditions: number;
}

const ALONE: readonly Verdict[] = ['met', 'not-applicable'];
const WITH_CONDITIONS: readonly Verdict[] = [...ALONE, 'partial', 'inherited'];

/** For each FR the highest level of which every item is met. */
export function levelsOf(verdicts: readonly ItemVerdict[]): Reached[] {
  return FOUNDATIONS.map((fr) => {
    const own = verdicts.filter((each) => each.fr === fr);
    return { fr, alone: highest(own, ALONE), withConditions: highest(own, WITH_CONDITIONS) };
  });
}

function highest(items: readonly ItemVerdict[], counts: readonly Verdict[]): number {
  const lowestOpen = Math.min(5, ...items.filter(({ verdict }) => !counts.includes(verdict)).map(({ level }) => level));
  return lowestOpen - 1;
}

/** Items that somebody has to do something about. */
export function openItems(verdicts: readonly ItemVerdict[], level: number): ItemVerdict[] {
  return verdicts.filter((each) => each.level <= level && !WITH_CONDITIONS.includes(each.verdict));
}
