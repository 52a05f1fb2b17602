/** The stick that a configuration names, with what earlier processes left there and this one goes on from. */

import type { Draft } from './draft.ts';
import type { Epochs } from './epochs.ts';
import { Stick, type StickOptions } from './stick.ts';
import { lastOf, type StoredEpoch } from './stick-reader.ts';
import { type Recovered, recover } from './stick-recovery.ts';

export interface OpenedStick {
  readonly stick: Stick;
  /** Records that a signature proves and the stick has no more. */
  readonly lost: readonly Extract<Draft, { act: 'log.lost' }>['obj'][];
}

/**
 * Opens the stick and takes up the last epoch on it, and those that no process ended in order. A tree that is found is
 * never continued: it is only what the next epoch says was before it.
 */
export async function openStick(options: StickOptions): Promise<OpenedStick> {
  const { engine, disk, epochs, onFinding } = options;
  const stick = new Stick(options);
  const content = await stick.open();
  const last = content && lastEpoch(content.epochs, onFinding);
  if (!last) return { stick, lost: [] };
  const known = new Set(epochs.kept.map(({ origin }) => origin));
  const wanted = content.epochs.filter((stored) => {
    const isLast = stored === last && known.size === 0;
    return !known.has(stored.event.obj.origin) && (isLast || stored.segments.length > 0);
  });
  const recovered: (Recovered & { readonly stored: StoredEpoch })[] = [];
  for (const stored of inOrder(content.epochs).filter((each) => wanted.includes(each))) {
    recovered.push({ stored, ...(await recover(engine, disk, stored)) });
  }
  for (const fact of recovered.flatMap(({ findings }) => findings)) onFinding(fact);
  takeUp(epochs, recovered, last, onFinding);
  const lost = recovered.flatMap(({ stored, lost }) => (lost ? { ...lost, origin: stored.event.obj.origin } : []));
  return { stick, lost };
}

function takeUp(
  epochs: Epochs,
  recovered: readonly (Recovered & { readonly stored: StoredEpoch })[],
  last: StoredEpoch,
  onFinding: StickOptions['onFinding'],
): void {
  const isAlone = epochs.kept.length === 0;
  const before = isAlone ? (recovered.find(({ stored }) => stored === last)?.previous ?? null) : null;
  const whole = recovered.flatMap(({ epoch }) => epoch ?? []);
  epochs.recall(whole, before);
  if (!before || !('origin' in before)) return;
  const opened = new Date(last.event.t).toISOString();
  onFinding(`the log goes on after ${before.origin} of ${opened} with ${before.tailSize} records, from the stick`);
}

/** The last epoch: when there are several, that with the most before it. */
function lastEpoch(epochs: readonly StoredEpoch[], onFinding: StickOptions['onFinding']): StoredEpoch | undefined {
  const candidates = lastOf(epochs);
  if (candidates.length > 1) {
    const origins = candidates.map(({ event }) => event.obj.origin).join(' and ');
    onFinding(`nothing on the stick follows ${origins}: an old state of it was used again, or an epoch is lost`);
  }
  return inOrder(epochs).findLast((epoch) => candidates.includes(epoch));
}

/** Each epoch after the one that it names; among those with as many before them one that did not end is the last. */
function inOrder(epochs: readonly StoredEpoch[]): StoredEpoch[] {
  const byOrigin = new Map(epochs.map((epoch) => [epoch.event.obj.origin, epoch]));
  const depth = (epoch: StoredEpoch): number => {
    let count = 0;
    const seen = new Set<StoredEpoch>();
    for (let at: StoredEpoch | undefined = epoch; at && !seen.has(at); count++) {
      seen.add(at);
      const prev: StoredEpoch['event']['obj']['prev'] = at.event.obj.prev;
      at = 'origin' in prev ? byOrigin.get(prev.origin) : undefined;
    }
    return count;
  };
  const depths = new Map(epochs.map((epoch) => [epoch, depth(epoch)]));
  const isOpen = ({ segments }: StoredEpoch) => Number(segments.length > 0);
  return [...epochs].sort(
    (a, b) =>
      depths.get(a)! - depths.get(b)! || isOpen(a) - isOpen(b) || a.event.t - b.event.t || (a.id < b.id ? -1 : 1),
  );
}
