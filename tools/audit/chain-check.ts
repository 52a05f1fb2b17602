/**
 * Checks how epochs follow each other. Each statement names the epoch before: how far it was signed, and how far it
 * went. No two epochs may follow the same one, and none may know less of the one before than was signed.
 */
import { equalBytes } from '../../protocol/bytes.ts';
import { fromBase64Url } from '../../protocol/text.ts';
import { checkClones } from './clone-check.ts';
import type { Findings } from './findings.ts';
import type { Expectation } from './leaf-check.ts';
import { pathIn, type SignedEpoch } from './signed-epoch.ts';

export interface Chain {
  /** Each epoch after the one before it. */
  readonly epochs: readonly SignedEpoch[];
  /** Roots that the tree of an epoch must have for what the epoch after it says, by origin. */
  readonly expectations: ReadonlyMap<string, readonly Expectation[]>;
  /** How many leaves an epoch had at its end, signed or not, by origin. */
  readonly tails: ReadonlyMap<string, number>;
}

/** Checks `epochs` of one export, and `earlier` ones that are in another export only. */
export function checkChain(epochs: readonly SignedEpoch[], earlier: readonly SignedEpoch[], findings: Findings): Chain {
  const all = [...epochs, ...earlier];
  checkClones(all, findings);
  const byOrigin = new Map(all.map((epoch) => [epoch.origin, epoch]));
  const followers = new Map<string, SignedEpoch>();
  const expectations = new Map<string, Expectation[]>();
  const tails = new Map<string, number>();
  for (const epoch of all) {
    const { prev, config } = epoch.event.obj;
    if (prev.source === 'none') continue;
    const file = pathIn(epoch.place, { kind: 'statement' });
    const before = byOrigin.get(prev.origin);
    const twin = followers.get(prev.origin);
    if (twin && twin.origin !== epoch.origin) {
      findings.add('log-forked', file, `${epoch.origin} and ${twin.origin} both follow ${prev.origin}`);
      continue;
    }
    followers.set(prev.origin, epoch);
    if (!before) {
      findings.note(`${file} follows ${prev.origin}, which is not here`);
      continue;
    }
    const claimed = before.event.obj.config.version;
    if (config.version < claimed) {
      findings.add('log-rolled-back', file, `its configuration has version ${config.version}, that before ${claimed}`);
    }
    const newest = before.heads.at(-1);
    // The last head of an epoch may be signed after the next one opened: it is behind no tail.
    if (newest && newest.size > prev.tailSize) {
      const detail = `it says that ${prev.origin} ended with ${prev.tailSize} leaves, ${newest.file} has ${newest.size}`;
      findings.add('log-rolled-back', file, detail);
    }
    const signed = {
      size: prev.lastSignedSize,
      root: fromBase64Url(prev.lastSignedRoot),
      file,
      code: 'log-forked',
    } as const;
    const tail = { size: prev.tailSize, root: fromBase64Url(prev.tailRoot), file, code: 'log-forked' } as const;
    expectations.set(prev.origin, [signed, tail]);
    tails.set(prev.origin, prev.tailSize);
    const same = before.heads.find(({ size }) => size === signed.size);
    if (same && !equalBytes(same.root, signed.root)) {
      findings.add('log-forked', file, `it names another root of ${prev.origin} than ${same.file}`);
    }
  }
  return { epochs: inOrder(epochs, byOrigin), expectations, tails };
}

/** Oldest first; chains that do not hang together stand in the order of their first epochs' places. */
function inOrder(epochs: readonly SignedEpoch[], byOrigin: ReadonlyMap<string, SignedEpoch>): SignedEpoch[] {
  const ordered: SignedEpoch[] = [];
  const done = new Set<string>();
  for (const epoch of epochs) {
    const chain: SignedEpoch[] = [];
    for (let each: SignedEpoch | undefined = epoch; each && !done.has(each.origin); ) {
      done.add(each.origin);
      if (epochs.includes(each)) chain.push(each);
      const { prev } = each.event.obj as SignedEpoch['event']['obj'];
      each = prev.source === 'none' ? undefined : byOrigin.get(prev.origin);
    }
    ordered.push(...chain.reverse());
  }
  return ordered;
}
