/**
 * What goes when the epochs are larger than the memory that they may take: first records that an auditor's server signed
 * for, then records on the stick, then whole closed epochs, and last, where that is allowed, records that nobody else has.
 */
import { type KeptEpoch, SAVED } from './kept-epoch.ts';

/** What is dropped at once goes down to this part of the limit: each drop costs a record. */
const DOWN_TO = 0.95;

export interface PruneLimits {
  readonly limitBytes: number;
  /** Most epochs, pruned ones included. */
  readonly maxEpochs: number;
  readonly mayLose: boolean;
  /** Told when the system does not let go of something. */
  readonly onFault: (code: string) => void;
}

/** Of one epoch the records below `below` went. */
export interface Pruned {
  readonly origin: string;
  readonly basis: 'cosigned' | 'stick' | 'closed' | 'limit';
  readonly below: number;
  /** Nobody has those from here on; null when all are elsewhere. */
  readonly lostFrom: number | null;
}

/** Drops what the limits ask for from `epochs`, oldest first, and gives what it dropped. */
export function pruneEpochs(epochs: readonly KeptEpoch[], limits: PruneLimits): Pruned[] {
  const pruned = new Map<string, Pruned>();
  const note = (drop: Pruned): void => {
    const key = `${drop.origin} ${drop.basis}`;
    // An epoch goes in many small pieces: one record for all of them.
    pruned.set(key, { ...drop, lostFrom: pruned.get(key)?.lostFrom ?? drop.lostFrom });
  };
  try {
    for (const drop of drops(epochs, limits)) note(drop);
  } catch (error) {
    limits.onFault((error as NodeJS.ErrnoException).code ?? 'unknown');
  }
  return [...pruned.values()];
}

/** Drops piece by piece, and tells of each. */
function* drops(epochs: readonly KeptEpoch[], { limitBytes, maxEpochs, mayLose }: PruneLimits): Generator<Pruned> {
  const bytes = () => epochs.reduce((sum, epoch) => sum + epoch.bytes, 0);
  const most = bytes() > limitBytes ? DOWN_TO * limitBytes : limitBytes;
  while (bytes() > most) {
    const drop = dropSaved(epochs) ?? dropClosed(epochs) ?? (mayLose ? dropUnsaved(epochs) : null);
    if (!drop) break;
    yield drop;
  }
  for (const epoch of epochs.slice(0, Math.max(0, epochs.length - maxEpochs))) {
    if (!epoch.isPruned && (mayLose || epoch.settledBelow >= epoch.size)) yield dropWhole(epoch);
  }
}

function dropSaved(epochs: readonly KeptEpoch[]): Pruned | null {
  for (const basis of SAVED) {
    const epoch = epochs.find((each) => each.drop(basis));
    if (epoch) return { origin: epoch.origin, basis, below: epoch.droppedBelow, lostFrom: null };
  }
  return null;
}

/** A closed epoch of which all records are elsewhere, or went before. */
function dropClosed(epochs: readonly KeptEpoch[]): Pruned | null {
  const epoch = epochs.find((each) => !each.isOpen && !each.isPruned && each.settledBelow >= each.size);
  return epoch ? dropWhole(epoch) : null;
}

/** The oldest records of all; of a closed epoch at last also those that no bundle holds, and its hashes. */
function dropUnsaved(epochs: readonly KeptEpoch[]): Pruned | null {
  for (const epoch of epochs) {
    const { origin, settledBelow: lostFrom } = epoch;
    if (epoch.drop(null)) return { origin, basis: 'limit', below: epoch.droppedBelow, lostFrom };
    if (!epoch.isOpen && !epoch.isPruned) return dropWhole(epoch);
  }
  return null;
}

function dropWhole(epoch: KeptEpoch): Pruned {
  const { origin, size: below, settledBelow } = epoch;
  epoch.prune();
  return { origin, basis: 'closed', below, lostFrom: settledBelow < below ? settledBelow : null };
}
