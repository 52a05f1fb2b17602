/**
 * The epoch of a journal that an earlier process left: bundle by bundle, so that it takes no more memory than it will
 * keep, however large it is. All of it is hashed again, and the newest head must be one of its tree.
 */
import { verifyCheckpoint } from '../../protocol/checkpoint.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { verifyEpoch } from '../../protocol/epoch.ts';
import { BundleFiles, type BundleFilesOptions } from './bundle-files.ts';
import { EpochTree } from './epoch-tree.ts';
import { readTail, removeJournal } from './journal.ts';
import { KeptEpoch } from './kept-epoch.ts';

export interface ReplayOptions extends BundleFilesOptions {
  readonly engine: Engine;
  /** Pin of the log key. */
  readonly logPin: string;
}

/** Where a record names the transfer that it is about: the last key of its object. */
const TRANSFER = /[{,]"x":"([0-9a-f]{32})"\},"res":"/;

/** The epoch, closed; null when its process ended before it had a record. Refuses what is not a whole epoch of this relay. */
export function replayEpoch(options: ReplayOptions): KeptEpoch | null {
  const { engine, logPin, folder, number } = options;
  const { statement, checkpoint, bytes, entriesFrom } = readTail(options);
  if (!statement) return null;
  const { event, keys } = verifyEpoch(engine, statement, logPin);
  const { origin } = event.obj;
  const bundles = new BundleFiles(options);
  const tree = new EpochTree(engine, bundles);
  bundles.load((bundle) => tree.adopt(bundle, transferIn));
  for (const entry of entriesFrom(tree.size)) tree.append(entry, transferIn(entry));
  const { size } = tree;
  if (size === 0 && !checkpoint) return null;
  const journal = {
    bundles,
    get bytes() {
      return bytes + bundles.bytes;
    },
    size,
    follow() {},
    head() {},
    close() {},
    remove: () => removeJournal(folder, number),
  };
  const epoch = new KeptEpoch({ hasher: engine, origin, statement, keys, tree, journal, onJournalFault() {} });
  if (checkpoint) {
    const { head, seconds } = verifyCheckpoint(engine, checkpoint, origin, keys);
    epoch.take({ ...head, seconds, checkpoint });
    epoch.publish(epoch.signed!);
  }
  epoch.requireWhole();
  epoch.close();
  return epoch;
}

/** The transfer that a record is about. */
export function transferIn(record: Uint8Array): string | undefined {
  const text = Buffer.from(record.buffer, record.byteOffset, record.length).toString('latin1');
  return TRANSFER.exec(text)?.[1];
}
