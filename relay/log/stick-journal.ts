/**
 * The journal of the open epoch on the stick: segments of fixed size, allocated when they are made and written over
 * from their start once all their records stand in files. While it runs no file changes its size, and no folder.
 *
 * After a failure the journal is given up, and another one begins with new segments: a file whose sync failed is never
 * written again.
 */
import { concat } from '../../protocol/bytes.ts';
import {
  COMMIT_FRAME_BYTES,
  encodeSegmentHeader,
  FrameChain,
  frameBytes,
  type JournalItem,
} from '../../protocol/journal-segment.ts';
import type { Hasher } from '../../protocol/merkle.ts';
import type { StickDisk, StickFile } from './stick-disk.ts';

export const SEGMENT_BYTES: number = 2 ** 20;
const PIECE_BYTES = 65_536;
/** While one is written the records of the other get into files. */
const FIRST_SEGMENTS = 2;

export interface StickJournalOptions {
  readonly disk: StickDisk;
  readonly hasher: Hasher;
  readonly random: (length: number) => Uint8Array;
  /** An existing folder. */
  readonly folder: string;
  readonly origin: string;
  /** Number of the first file, above that of every segment in the folder. */
  readonly first: number;
  /** Both signatures of the epoch's keys over so many records and a chain. */
  readonly sign: (below: number, chain: Uint8Array) => Promise<Uint8Array>;
}

interface OpenSegment {
  readonly path: string;
  readonly file: StickFile;
  /** Whether something in it was ever durable. */
  isUsed: boolean;
  /** No record from this index on is in it. */
  below: number;
}

export class StickJournal {
  readonly #options: StickJournalOptions;
  readonly #segments: OpenSegment[] = [];
  #next: number;
  #current: OpenSegment | null = null;
  #chain!: FrameChain;
  #at = 0;
  /** What the next commit writes. */
  #group: Uint8Array[] = [];
  #groupBytes = 0;
  #head: JournalItem | null = null;
  /** Records after the last one that was added. */
  #below = 0;

  constructor(options: StickJournalOptions) {
    this.#options = options;
    this.#next = options.first;
  }

  /**
   * Appends items, records in their order; durable when this resolves. Records below `filed` stand in files. After a
   * rejection only `close` may follow.
   */
  async commit(items: readonly JournalItem[], filed: number): Promise<void> {
    this.#below = Math.max(this.#below, filed);
    while (this.#segments.length < FIRST_SEGMENTS) await this.#allocate();
    for (const item of items) {
      const needed = frameBytes(item) + COMMIT_FRAME_BYTES;
      if (!this.#current || this.#at + this.#groupBytes + needed > SEGMENT_BYTES) await this.#turn(filed);
      if (item.kind === 'head') this.#head = item;
      else {
        this.#below = item.index + 1;
        this.#current!.below = this.#below;
      }
      this.#add(this.#chain.add(item));
    }
    await this.#flush();
  }

  /** Lets go of the files. */
  async close(): Promise<void> {
    for (const { file } of this.#segments) await file.close().catch(() => {});
  }

  /** Lets go of the files after a failure, and removes those that hold nothing, as far as the disk lets it. */
  async discard(): Promise<void> {
    await this.close();
    const { disk } = this.#options;
    for (const { path, isUsed } of this.#segments) if (!isUsed) await disk.remove(path).catch(() => {});
  }

  /** Goes on in a segment none of whose records is needed, or in a new one; the newest head goes along. */
  async #turn(filed: number): Promise<void> {
    if (this.#current) await this.#flush();
    const free = this.#segments.find((segment) => segment !== this.#current && segment.below <= filed);
    this.#current = free ?? (await this.#allocate());
    const { origin, hasher, random } = this.#options;
    const header = encodeSegmentHeader({ segmentId: random(16), origin });
    this.#chain = new FrameChain(hasher, header);
    this.#at = 0;
    this.#add(header);
    if (this.#head) this.#add(this.#chain.add(this.#head));
  }

  async #flush(): Promise<void> {
    if (this.#groupBytes === 0) return;
    const { value } = this.#chain;
    const signature = await this.#options.sign(this.#below, value);
    this.#add(this.#chain.commit(this.#below, signature));
    const current = this.#current!;
    await current.file.write(concat(...this.#group), this.#at);
    await current.file.sync();
    current.isUsed = true;
    this.#at += this.#groupBytes;
    this.#group = [];
    this.#groupBytes = 0;
  }

  #add(bytes: Uint8Array): void {
    this.#group.push(bytes);
    this.#groupBytes += bytes.length;
  }

  /** A file of zeros, durable with its name and its place on the disk. */
  async #allocate(): Promise<OpenSegment> {
    const { disk, folder } = this.#options;
    const path = `${folder}/${String(this.#next).padStart(8, '0')}`;
    this.#next += 1;
    const file = await disk.create(path);
    const segment = { path, file, isUsed: false, below: 0 };
    this.#segments.push(segment);
    const piece = new Uint8Array(PIECE_BYTES);
    for (let at = 0; at < SEGMENT_BYTES; at += PIECE_BYTES) await file.write(piece, at);
    await file.sync();
    await disk.syncFolder(folder);
    return segment;
  }
}
