/**
 * Binding: a claim stores the hash of its requirement and of each of its checks. When one of them changes the link is
 * suspect until a person has read both and binds it again.
 */
import { join } from 'node:path';
import { Problem } from '../../../protocol/problem.ts';
import { writeFileAtomic } from '../../lib/files.ts';
import { entryHash, type Policy } from './policy.ts';

/**
 * Writes the present hashes into the claims of `items`, or into all; gives how many lines changed. Refuses
 * `usage`, and `file-invalid` when the policy is not whole. */
export function bindClaims(project: string, policy: Policy, items: readonly string[] | 'all'): number {
  const [fault] = policy.faults;
  if (fault) throw new Problem('file-invalid', `${fault.file}:${fault.line}: ${fault.message}`);
  const hashes = new Map(
    [...policy.requirements, ...policy.checks].map(({ value }) => [value.id, entryHash(value)] as const),
  );
  const unknown =
    items === 'all' ? [] : items.filter((item) => !policy.claims.some(({ value }) => value.item === item));
  if (unknown.length > 0) throw new Problem('usage', `no claim is about ${unknown.join(', ')}`);
  let changed = 0;
  for (const file of new Set(policy.claims.map((claim) => claim.file))) {
    let item = '';
    const lines = file.text.split('\n').map((line) => {
      item = /^ {2}- item: (.+)$/.exec(line)?.[1] ?? item;
      if (items !== 'all' && !items.includes(item)) return line;
      const id = /^ {6,8}- \{ id: ([a-z0-9-]+), bound: /.exec(line)?.[1] ?? item;
      const next = line.replace(/(\bbound: )"[0-9a-f]{12}"/, `$1"${hashes.get(id)}"`);
      if (next !== line) changed += 1;
      return next;
    });
    const text = lines.join('\n');
    if (text !== file.text) writeFileAtomic(join(project, file.path), text, 0o644);
  }
  return changed;
}
