/** One epoch as it is kept in memory: its statement, its tree, its heads, and its journal when there is one. */
import { equalBytes } from '../../protocol/bytes.ts';
import type { LogKeys } from '../../protocol/checkpoint.ts';
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../protocol/engine/engine.ts';
import type { PreviousEpoch } from '../../protocol/epoch-opening.ts';
import { consistencyProof, type Hasher, rootOf, verifyConsistency } from '../../protocol/merkle.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { Problem } from '../../protocol/problem.ts';
import { toBase64Url } from '../../protocol/text.ts';
import type { Tile } from '../../protocol/tile.ts';
import { EpochTree } from './epoch-tree.ts';
import { withHead } from './heads.ts';
import type { Journal } from './journal.ts';
import type { EpochView, PublishedHead, Tail } from './log-view.ts';
import type { HeadRequest } from './signer.ts';

export interface KeptEpochOptions {
  readonly hasher: Hasher;
  readonly origin: string;
  readonly statement: Uint8Array;
  readonly keys: LogKeys;
  readonly journal: Pick<Journal, 'follow' | 'head' | 'remove' | 'close' | 'bytes' | 'size'> | null;
  /** Told when the journal cannot be written. */
  readonly onJournalFault: (code: string) => void;
  /** Where it was found, if another process began it. */
  readonly source?: 'tmpfs' | 'stick';
}

/** What was asked of the signer last. */
interface Asked {
  readonly size: number;
  readonly root: Uint8Array;
  readonly seconds: number;
}

export class KeptEpoch implements EpochView {
  readonly origin: string;
  readonly statement: Uint8Array;
  readonly verifierKeys: readonly string[];
  readonly #options: KeptEpochOptions;
  /** Null once it was pruned. */
  #tree: EpochTree | null;
  #heads: readonly PublishedHead[] = [];
  #signed: PublishedHead | null = null;
  #asked: Asked;
  #tail: Tail | null = null;

  /** Begins with the statement as its only leaf. */
  constructor(options: KeptEpochOptions) {
    const { hasher, origin, statement, keys } = options;
    this.#options = options;
    this.origin = origin;
    this.statement = statement;
    this.verifierKeys = (Object.keys(SIGNATURE_ALGORITHMS) as SignatureAlgorithm[]).map((algorithm) =>
      formatVerifierKey(hasher, { name: origin, algorithm, publicKey: keys[algorithm] }),
    );
    this.#tree = new EpochTree(hasher);
    this.#asked = { size: 0, root: hasher.sha256(), seconds: 0 };
    this.append(statement);
  }

  get isOpen(): boolean {
    return this.#tail === null;
  }

  get heads(): readonly PublishedHead[] {
    return this.#heads;
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
    const { leaf } = this.#tree!.append(entry, transferId);
    this.#tellJournal((journal) => journal.follow(this.#tree!));
    return leaf;
  }

  /**
   * The next head to be signed, at a POSIX time in seconds or just after the head before. What was asked for before
   * counts as signed. Refuses `proof-invalid` when the tree does not continue it, by the verifier's own code.
   */
  nextHead(seconds: number): HeadRequest {
    const { hasher } = this.#options;
    const before = this.#asked;
    const { size } = this.#tree!;
    const root = this.#tree!.root();
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

  /** Nothing is added any more. */
  close(): void {
    this.#tail = { size: this.#tree!.size, root: this.#tree!.root() };
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

  /** Drops everything but statement, last head and tail, and deletes the journal. */
  prune(): void {
    this.#tree = null;
    this.#heads = this.#heads.slice(-1);
    this.#options.journal?.remove();
  }

  /** Lets go of the journal's files. */
  release(): void {
    this.#options.journal?.close();
  }

  /** Refuses `proof-invalid` unless the newest head is one of this tree: a replayed journal may be damaged. */
  requireHead(): void {
    const head = this.#signed!;
    const whole = head.size <= this.#tree!.size;
    if (whole && equalBytes(rootOf(this.#options.hasher, this.#tree!.reader(head.size), head.size), head.root)) return;
    throw new Problem('proof-invalid', `${this.#tree!.size} records do not have the head of size ${head.size}`);
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
