/** One epoch as it is kept in memory: its statement, its tree, its heads, and its journal when there is one. */
import { equalBytes } from '../../protocol/bytes.ts';
import { parseJson } from '../../protocol/canonical.ts';
import { CHECKPOINT_LINES, type LogKeys } from '../../protocol/checkpoint.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import { MAX_EPOCH_RECORD_BYTES } from '../../protocol/log-record.ts';
import { consistencyProof, type Hasher, leafHash, rootOf, verifyConsistency } from '../../protocol/merkle.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { Problem } from '../../protocol/problem.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { TILE_WIDTH, type Tile } from '../../protocol/tile.ts';
import { SEGMENT_BUNDLES } from './bundle-files.ts';
import type { EpochTree } from './epoch-tree.ts';
import { withHead } from './heads.ts';
import type { Journal } from './journal.ts';
import type { EpochView, PublishedHead, Tail } from './log-view.ts';
import type { HeadRequest } from './signer.ts';

export interface KeptEpochOptions {
  readonly hasher: Hasher;
  readonly origin: string;
  readonly statement: Uint8Array;
  readonly keys: LogKeys;
  /** Empty, or what an earlier process left. */
  readonly tree: EpochTree;
  readonly journal: Pick<Journal, 'follow' | 'head' | 'remove' | 'close' | 'bytes' | 'size'> | null;
  /** Told when the journal cannot be written. */
  readonly onJournalFault: (code: string) => void;
  /** Where it was found, if another process began it. */
  readonly source?: 'tmpfs' | 'stick';
}

/** Who else has records: an auditor's server that signed for them, or the stick. */
export const SAVED = ['cosigned', 'stick'] as const;
export type Saved = (typeof SAVED)[number];

/** What was asked of the signer last. */
interface Asked {
  readonly size: number;
  readonly root: Uint8Array;
  readonly seconds: number;
}

export class KeptEpoch implements EpochView {
  readonly origin: string;
  readonly statement: Uint8Array;
  readonly keys: LogKeys;
  readonly verifierKeys: readonly string[];
  readonly #options: KeptEpochOptions;
  /** Null once it was pruned. */
  #tree: EpochTree | null;
  #heads: readonly PublishedHead[] = [];
  #signed: PublishedHead | null = null;
  #asked: Asked;
  #tail: Tail | null = null;
  /** How many records, from the first on, each of them has. */
  readonly #saved: Record<Saved, number> = { cosigned: 0, stick: 0 };
  #cosignedHead: PublishedHead | null = null;

  constructor(options: KeptEpochOptions) {
    const { hasher, origin, statement, keys, tree } = options;
    this.#options = options;
    this.origin = origin;
    this.statement = statement;
    this.keys = keys;
    this.verifierKeys = CHECKPOINT_LINES.map((algorithm) =>
      formatVerifierKey(hasher, { name: origin, algorithm, publicKey: keys[algorithm] }),
    );
    this.#tree = tree;
    this.#asked = { size: 0, root: hasher.sha256(), seconds: 0 };
  }

  get isOpen(): boolean {
    return this.#tail === null;
  }

  get heads(): readonly PublishedHead[] {
    const cosigned = this.#cosignedHead;
    if (!cosigned) return this.#heads;
    const others = this.#heads.filter(({ size }) => size !== cosigned.size);
    return [...others, cosigned].sort((a, b) => a.size - b.size);
  }

  /** The newest head that somebody else vouched for, with their lines under it. */
  get cosignedHead(): PublishedHead | null {
    return this.#cosignedHead;
  }

  get tail(): Tail | null {
    return this.#tail;
  }

  /** The newest head that was signed, published or not. */
  get signed(): PublishedHead | null {
    return this.#signed;
  }

  /** Null once it was pruned. */
  get tree(): EpochTree | null {
    return this.#tree;
  }

  get isPruned(): boolean {
    return this.#tree === null;
  }

  get size(): number {
    return this.#tail?.size ?? this.#tree!.size;
  }

  /** Leaves that the signer was last asked to cover; 0 before the first head. */
  get covered(): number {
    return this.#asked.size;
  }

  /** Bytes of memory that tree and journal take. */
  get bytes(): number {
    return (this.#tree?.bytes ?? 0) + (this.#tree ? (this.#options.journal?.bytes ?? 0) : 0);
  }

  /** Records that are not in the journal although there is one. */
  get unwritten(): number {
    const { journal } = this.#options;
    return this.#tree && journal ? this.#tree.size - journal.size : 0;
  }

  /** Adds a record, in the journal first of all that others see; returns its leaf hash. Refuses what the tree refuses. */
  append(entry: Uint8Array, transferId?: string): Uint8Array {
    const leaf = this.#tree!.append(entry, transferId);
    this.#tellJournal((journal) => journal.follow(this.#tree!));
    return leaf;
  }

  /**
   * The next head to be signed, of the first `size` leaves, at a POSIX time in seconds or just after the head before.
   * What was asked for before counts as signed. Refuses `proof-invalid` when the tree does not continue it, by the
   * verifier's own code.
   */
  nextHead(seconds: number, size: number): HeadRequest {
    const { hasher } = this.#options;
    const before = this.#asked;
    const isAll = size === this.#tree!.size;
    const root = isAll ? this.#tree!.root() : rootOf(hasher, this.#tree!.reader(size), size);
    const proof = consistencyProof(hasher, this.#tree!.reader(size), before.size, size);
    verifyConsistency(hasher, proof, before.size, before.root, size, root);
    this.#asked = { size, root, seconds: Math.max(seconds, before.seconds + 1) };
    return { origin: this.origin, proof, ...this.#asked };
  }

  /** Takes a head that was signed, to be published when all that it covers is as safe as the mode promises. */
  take(head: PublishedHead): void {
    this.#signed = head;
    this.#tellJournal((journal) => journal.head(head.checkpoint));
  }

  /** Publishes a head that was taken. */
  publish(head: PublishedHead): void {
    this.#heads = this.#tree ? withHead(this.#heads, head) : [head];
  }

  /** Takes a head with lines of cosigners. Refuses `log-forked` for one that is not of this tree. */
  keepCosigned(head: PublishedHead): void {
    const isOurs = head.size <= this.size && (!this.#tree || equalBytes(this.#rootOf(head.size), head.root));
    if (!isOurs) throw new Problem('log-forked', `the head of size ${head.size} is not one of ${this.origin}`);
    if (head.size >= (this.#cosignedHead?.size ?? 0)) this.#cosignedHead = head;
  }

  /** Nothing is added any more. */
  close(): void {
    this.#tail = { size: this.#tree!.size, root: this.#tree!.root() };
  }

  /** Goes on after `close`, since no epoch could follow. */
  reopen(): void {
    this.#tail = null;
  }

  /** What the next epoch says of this one, which is closed. */
  asPrevious(): Exclude<PreviousEpoch, { source: 'none' }> {
    const signed = this.#signed;
    return {
      origin: this.origin,
      lastSignedSize: signed?.size ?? 0,
      lastSignedRoot: toBase64Url(signed?.root ?? this.#options.hasher.sha256()),
      tailSize: this.#tail!.size,
      tailRoot: toBase64Url(this.#tail!.root),
      source: this.#options.source ?? 'tmpfs',
    };
  }

  /** From now on `by` has the records below `below`. */
  savedBy(by: Saved, below: number): void {
    this.#saved[by] = Math.max(this.#saved[by], below);
  }

  /** How many records, from the first on, are here no more as they were written. */
  get droppedBelow(): number {
    return this.#tree ? this.#tree.dropped * TILE_WIDTH : this.size;
  }

  /** How many records, from the first on, are elsewhere or were given up before. */
  get settledBelow(): number {
    return Math.max(this.droppedBelow, ...Object.values(this.#saved));
  }

  /**
   * Drops the oldest records that are here, whole bundles of one file at most, and keeps their hashes: of those that `by`
   * has, or of all. False when there are none; of an open epoch only whole files are dropped. Throws what the system throws.
   */
  drop(by: Saved | null): boolean {
    const tree = this.#tree;
    if (!tree) return false;
    const have = by ? Math.min(tree.bundles, Math.floor(this.#saved[by] / TILE_WIDTH)) : tree.bundles;
    const fileEnd = (Math.floor(tree.dropped / SEGMENT_BUNDLES) + 1) * SEGMENT_BUNDLES;
    const below = Math.min(have, fileEnd);
    if (below <= tree.dropped || (this.isOpen && below < fileEnd)) return false;
    tree.drop(below);
    return true;
  }

  /** Drops everything but statement, last head and tail, and deletes the journal. */
  prune(): void {
    this.#tree = null;
    this.#heads = this.#heads.slice(-1);
    this.#options.journal?.remove();
  }

  /** Whether its newest record says that it was closed; not of a pruned one. */
  get endedInOrder(): boolean {
    const { act } = parseJson(this.#tree!.entry(this.size - 1), MAX_EPOCH_RECORD_BYTES) as { readonly act?: unknown };
    return act === 'log.epoch.close';
  }

  /** Lets go of the journal's files. */
  release(): void {
    this.#options.journal?.close();
  }

  /**
   * Refuses `proof-invalid` unless the statement is leaf 0 and the newest head one of this tree: a replayed journal may be
   * damaged.
   */
  requireWhole(): void {
    const { hasher } = this.#options;
    const { size } = this.#tree!;
    const head = this.#signed ?? { size: 0, root: hasher.sha256() };
    if (size > 0 && head.size <= size) {
      const read = this.#tree!.reader(size);
      const isStatement = equalBytes(read(0, 0), leafHash(hasher, this.statement));
      if (isStatement && equalBytes(rootOf(hasher, read, head.size), head.root)) return;
    }
    throw new Problem('proof-invalid', `${size} records do not have the statement and the head of size ${head.size}`);
  }

  tile(tile: Tile): Uint8Array | undefined {
    return this.#tree?.tile(tile, this.#shown);
  }

  bundle(tile: Tile): Uint8Array | undefined {
    return this.#tree?.bundle(tile, this.#shown);
  }

  indexOf(transferId: string): number | undefined {
    return this.#tree?.indexOf(transferId);
  }

  #rootOf(size: number): Uint8Array {
    return rootOf(this.#options.hasher, this.#tree!.reader(size), size);
  }

  /** Leaves that others may read. */
  get #shown(): number {
    return this.#tail?.size ?? this.#heads.at(-1)?.size ?? 0;
  }

  #tellJournal(tell: (journal: NonNullable<KeptEpochOptions['journal']>) => void): void {
    const { journal, onJournalFault } = this.#options;
    if (!journal) return;
    try {
      tell(journal);
    } catch (error) {
      onJournalFault((error as NodeJS.ErrnoException).code ?? 'unknown');
    }
  }
}
