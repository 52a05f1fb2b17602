/** From what was looked at to evidence records. */
import type { CheckOutcome, Looked } from './looking.ts';
import { entryHash, type Policy } from './policy/policy.ts';
import type { EvidenceRecord, Subject } from './record.ts';

/** A record for each outcome, with the items whose claims rest on the check. */
export function recordsOf(outcomes: readonly CheckOutcome[], policy: Policy, subject: Subject): EvidenceRecord[] {
  return outcomes.map(({ check, clean, sabotaged }) => {
    const entry = policy.checks.find(({ value }) => value.id === check.id)!.value;
    const claims = policy.claims.filter(({ value: { checks = [], image } }) =>
      [...checks, ...(image?.checks ?? [])].some(({ id }) => id === check.id),
    );
    return {
      v: 1,
      check: check.id,
      checkHash: entryHash(entry),
      items: claims.map(({ value }) => value.item),
      subject,
      environment: check.layer === 'build' || check.layer === 'image' ? 'file' : 'host',
      timeQuality: 'none',
      ...clean,
      sabotage: {
        tried: [...sabotaged].filter(([, looked]) => wasTried(looked)).map(([name]) => name),
        caught: [...sabotaged].filter(([, looked]) => looked.result === 'fail').map(([name]) => name),
      },
    };
  });
}

/** A look that broke off has tried nothing. */
export function wasTried({ result }: Looked): boolean {
  return result === 'pass' || result === 'fail';
}
