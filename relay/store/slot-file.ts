/**
 * One slot file: two copies of the metadata, written in turn, then the block at a fixed offset. A write that a crash
 * breaks off damages one copy, and the other still says what was told last.
 *
 * Everything is synchronous: the file is memory. It is allocated whole when it is made, and never unlinked.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { equalBytes } from '../../protocol/bytes.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import type { BlockBytes } from './block-store.ts';
import { encodeRecord, parseRecord, RECORD_BYTES, type SlotRecord } from './slot-record.ts';

/** Where the block begins. */
export const BLOCK_OFFSET: number = 2 * RECORD_BYTES;
const PIECE_BYTES = 65_536;

/** Writes all of `bytes` at `position`. An argument, so that tests can break it off. */
export type WriteAt = (fd: number, bytes: Uint8Array, position: number) => void;

export const writeAt: WriteAt = (fd, bytes, position) => {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
};

export interface SlotFileOptions {
  readonly path: string;
  readonly blockBytes: number;
  readonly bootId: Uint8Array;
  readonly write: WriteAt;
}

export class SlotFile implements BlockBytes {
  readonly length: number;
  readonly #fd: number;
  readonly #bootId: Uint8Array;
  readonly #write: WriteAt;
  #sequence = 0;
  /** After it nothing is written: the file may belong to another process. */
  #closed = false;

  /** Opens or makes the file, mode 600. Refuses `store-failed`. */
  constructor({ path, blockBytes, bootId, write }: SlotFileOptions) {
    this.length = blockBytes;
    this.#bootId = bootId;
    this.#write = write;
    try {
      this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    } catch (error) {
      throw new Problem('store-failed', `${path} cannot be opened (${(error as NodeJS.ErrnoException).code})`);
    }
  }

  /** Bytes that the file has now; one that is whole has `BLOCK_OFFSET` and the block. */
  get size(): number {
    return fstatSync(this.#fd).size;
  }

  /** Makes the file anew: allocated, all zero, free. */
  make(): void {
    ftruncateSync(this.#fd, 0);
    this.#overwrite(0, BLOCK_OFFSET + this.length, 0);
    this.#sequence = 0;
    this.put('free');
    this.put('free');
  }

  /** The newest whole copy of this boot, if there is one, and what is wrong with the others. */
  read(): { readonly record: SlotRecord | undefined; readonly faults: readonly string[] } {
    const records: SlotRecord[] = [];
    const faults: string[] = [];
    for (const place of [0, 1]) {
      try {
        records.push(this.#readCopy(place));
      } catch (thrown) {
        faults.push(`copy ${place}: ${asProblem(thrown).detail}`);
      }
    }
    const record = records.sort((a, b) => b.sequence - a.sequence)[0];
    this.#sequence = record?.sequence ?? 0;
    return { record, faults };
  }

  /** Writes down a state of the slot, over the older copy. */
  put(state: SlotRecord['state'], held: SlotRecord['held'] = null): void {
    if (this.#closed) return;
    this.#sequence += 1;
    const record = { sequence: this.#sequence, bootId: this.#bootId, state, held };
    this.#write(this.#fd, encodeRecord(record), (this.#sequence % 2) * RECORD_BYTES);
  }

  /** Destroys what the slot holds. */
  wipe(): void {
    this.put('burning');
    this.fill(0);
    this.put('free');
  }

  /** SHA-256 of the block in hex. */
  blockHash(): string {
    const hash = createHash('sha256');
    for (let at = 0; at < this.length; at += PIECE_BYTES) hash.update(this.subarray(at, at + PIECE_BYTES));
    return hash.digest('hex');
  }

  set(bytes: Uint8Array, at: number): void {
    if (at + bytes.length > this.length) throw new RangeError('beyond the end of the block');
    if (!this.#closed) this.#write(this.#fd, bytes, BLOCK_OFFSET + at);
  }

  /** A copy of the bytes. */
  subarray(start: number, end: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(Math.min(end, this.length) - start);
    return this.#readFully(bytes, BLOCK_OFFSET + start);
  }

  fill(value: number): void {
    if (!this.#closed) this.#overwrite(BLOCK_OFFSET, BLOCK_OFFSET + this.length, value);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  #readCopy(place: number): SlotRecord {
    const record = parseRecord(this.#readFully(Buffer.allocUnsafe(RECORD_BYTES), place * RECORD_BYTES));
    if (record.sequence % 2 !== place) throw new Problem('file-invalid', `number ${record.sequence} stands here`);
    if (!equalBytes(record.bootId, this.#bootId)) throw new Problem('file-invalid', 'it is of another boot');
    return record;
  }

  #readFully(bytes: Buffer, position: number): Buffer {
    let at = 0;
    while (at < bytes.length) {
      const count = this.#closed ? 0 : readSync(this.#fd, bytes, at, bytes.length - at, position + at);
      if (count === 0) throw new Problem('file-invalid', `the slot file ends before byte ${position + bytes.length}`);
      at += count;
    }
    return bytes;
  }

  #overwrite(from: number, to: number, value: number): void {
    const piece = Buffer.alloc(PIECE_BYTES, value);
    for (let at = from; at < to; at += PIECE_BYTES) this.#write(this.#fd, piece.subarray(0, to - at), at);
  }
}
