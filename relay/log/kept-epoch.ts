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
  readonly keys: LogKeys;
  readonly verifierKeys: readonly string[];
  readonly #options: KeptEpochOptions;
  /** Null once it was pruned. */
  #tree: EpochTree | null;
  #heads: readonly PublishedHead[] = [];
  #asked: Asked;
  #tail: Tail | null = null;
  #cosignedHead: PublishedHead | null = null;

  /** Begins with the statement as its only leaf. */
  constructor(options: KeptEpochOptions) {
    const { hasher, origin, statement, keys } = options;
    this.#options = options;
    this.origin = origin;
    this.statement = statement;
    this.keys = keys;
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

  /** Takes a head that was signed. */
  publish(head: PublishedHead): void {
    this.#tellJournal((journal) => journal.head(head.checkpoint));
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

  /** What the next epoch says of this one, which is closed. */
  asPrevious(): PreviousEpoch {
    const signed = this.#heads.at(-1);
    return {
      origin: this.origin,
      lastSignedSize: signed?.size ?? 0,
      lastSignedRoot: toBase64Url(signed?.root ?? this.#options.hasher.sha256()),
      tailSize: this.#tail!.size,
      tailRoot: toBase64Url(this.#tail!.root),
      source: 'tmpfs',
    };
  }

  /** Records up to `below` are kept elsewhere too. */
  savedBy(_by: 'cosigned' | 'stick', _below: number): void {}

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
    const head = this.#heads.at(-1)!;
    const whole = head.size <= this.#tree!.size;
    if (whole && equalBytes(this.#rootOf(head.size), head.root)) return;
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
