/**
 * What a sender must not forget, beside the records themselves: its run, which numbers are used, which segments there
 * are and what of them was released. docs/formats.md section 17 is its table.
 *
 * One file of two copies, written in place, so that a full disk does not keep it from being written. Both are written
 * each time, one after the other, and nothing counts before both are: damage to either leaves the other, and it is
 * the newest that counts.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { ByteReader, ByteWriter, equalBytes, utf8 } from '../../protocol/bytes.ts';
import { AEAD_TAG_BYTES, type Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
import type { Range } from '../../protocol/ranges.ts';
import { RUN_BYTES, STREAM_ID_BYTES } from '../../protocol/stream.ts';
import { readFileBounded } from '../lib/files.ts';

export const COPY_BYTES = 131_072;
export const SEGMENT_ID_BYTES = 16;
/** Most segments that a spool may have. */
export const MAX_SEGMENTS = 2048;
/** Released ranges that are written down; of more, the last are forgotten: their records may be sent again. */
const MAX_RANGES = 2048;

const MAGIC = utf8('GPT1');
const HEAD_BYTES = 24;
/** The key is of one copy, so its vector may be constant. */
const IV = new Uint8Array(12);

/** Key of one file of the spool, by its random id of 16 bytes. */
export type SpoolKey = (id: Uint8Array) => Uint8Array;

/** How the spool writes. An argument, so that tests can break it off. */
export interface SpoolDisk {
  write(fd: number, bytes: Uint8Array, position: number): void;
  sync(fd: number): void;
  truncate(fd: number, size: number): void;
}

/** What every file of a spool is made with. */
export interface SegmentOptions {
  readonly engine: Engine;
  readonly key: SpoolKey;
  readonly disk: SpoolDisk;
}

export const realDisk: SpoolDisk = {
  write(fd, bytes, position) {
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
  },
  sync: fdatasyncSync,
  truncate: ftruncateSync,
};

/** Does a write to the spool in `folder`; refuses `spool-failed` when the disk does. */
export function guarded(folder: string, write: () => void): void {
  try {
    write();
  } catch (thrown) {
    if (thrown instanceof Problem) throw thrown;
    const { code } = thrown as NodeJS.ErrnoException;
    throw new Problem('spool-failed', `the spool ${folder} cannot be written (${code})`);
  }
}

export interface SegmentState {
  readonly number: number;
  readonly id: Uint8Array;
  /** The number that its first ordinal has. */
  readonly base: number;
  /** Numbers that it is known to hold. */
  readonly count: number;
  readonly hasFiles: boolean;
}

export interface SpoolState {
  readonly streamId: Uint8Array;
  readonly run: Uint8Array;
  readonly previousRun: Uint8Array;
  /** The number in this spool that is record 0 of the run. */
  readonly runBase: number;
  readonly nextBlock: number;
  /** No number from it on was ever in a block. */
  readonly nextNumber: number;
  readonly nextSegment: number;
  readonly segments: readonly SegmentState[];
  readonly released: readonly Range[];
}

export class StateFile {
  readonly #path: string;
  readonly #engine: Engine;
  readonly #key: SpoolKey;
  readonly #disk: SpoolDisk;
  #sequence = 0;

  constructor(path: string, { engine, key, disk }: SegmentOptions) {
    this.#path = path;
    this.#engine = engine;
    this.#key = key;
    this.#disk = disk;
  }

  /** The newest whole copy; `none` when there is no state yet, `damaged` when no copy is whole. */
  read(): SpoolState | 'none' | 'damaged' {
    const bytes = readFileBounded(this.#path, 2 * COPY_BYTES);
    if (!bytes || bytes.every((byte) => byte === 0)) return 'none';
    const copies = [0, COPY_BYTES].map((at) => this.#open(bytes.subarray(at, at + COPY_BYTES)));
    const newest = copies.filter((copy) => copy !== null).sort((a, b) => b.sequence - a.sequence)[0];
    this.#sequence = newest?.sequence ?? 0;
    return newest?.state ?? 'damaged';
  }

  /** Makes `state` durable. */
  save(state: SpoolState): void {
    const file = openSync(this.#path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      if (fstatSync(file).size < 2 * COPY_BYTES) this.#disk.write(file, new Uint8Array(2 * COPY_BYTES), 0);
      const sequence = this.#sequence + 1;
      for (const at of [0, COPY_BYTES]) {
        this.#disk.write(file, this.#seal(sequence, state), at);
        this.#disk.sync(file);
      }
      this.#sequence = sequence;
    } finally {
      closeSync(file);
    }
  }

  #seal(sequence: number, state: SpoolState): Uint8Array {
    const plain = encodeState(sequence, state);
    const out = new Uint8Array(HEAD_BYTES + plain.length + AEAD_TAG_BYTES);
    const id = this.#engine.random(SEGMENT_ID_BYTES);
    new ByteWriter(out).bytes(MAGIC).bytes(id).u32(plain.length);
    const head = out.subarray(0, HEAD_BYTES);
    const body = out.subarray(HEAD_BYTES, HEAD_BYTES + plain.length);
    out.set(this.#engine.aeadSeal(this.#key(id), IV, head, plain, body), HEAD_BYTES + plain.length);
    return out;
  }

  #open(copy: Uint8Array): { sequence: number; state: SpoolState } | null {
    try {
      const reader = new ByteReader(copy, 'file-invalid');
      if (!equalBytes(reader.bytes(4), MAGIC)) return null;
      const id = reader.bytes(SEGMENT_ID_BYTES);
      const body = reader.bytes(reader.u32());
      const plain = new Uint8Array(body.length);
      const tag = reader.bytes(AEAD_TAG_BYTES);
      const open = this.#engine.aeadOpen(this.#key(id), IV, copy.subarray(0, HEAD_BYTES), body, tag, plain);
      return open ? parseState(plain) : null;
    } catch {
      return null; // a damaged length
    }
  }
}

function encodeState(sequence: number, state: SpoolState): Uint8Array {
  const released = state.released.slice(0, MAX_RANGES);
  const out = new Uint8Array(92 + state.segments.length * 41 + released.length * 16);
  const writer = new ByteWriter(out)
    .u64(sequence)
    .bytes(state.streamId)
    .bytes(state.run)
    .bytes(state.previousRun)
    .u64(state.runBase)
    .u64(state.nextBlock)
    .u64(state.nextNumber)
    .u64(state.nextSegment)
    .u16(state.segments.length)
    .u16(released.length);
  for (const { number, id, base, count, hasFiles } of state.segments) {
    writer
      .u64(number)
      .bytes(id)
      .u64(base)
      .u64(count)
      .u8(hasFiles ? 1 : 0);
  }
  for (const { first, count } of released) writer.u64(first).u64(count);
  return out;
}

function parseState(plain: Uint8Array): { sequence: number; state: SpoolState } {
  const reader = new ByteReader(plain, 'file-invalid');
  const sequence = reader.u64();
  const [streamId, run, previousRun] = [
    reader.bytes(STREAM_ID_BYTES),
    reader.bytes(RUN_BYTES),
    reader.bytes(RUN_BYTES),
  ];
  const [runBase, nextBlock, nextNumber, nextSegment] = [reader.u64(), reader.u64(), reader.u64(), reader.u64()];
  const [segmentCount, rangeCount] = [reader.u16(), reader.u16()];
  const segments = Array.from({ length: segmentCount }, () => ({
    number: reader.u64(),
    id: reader.bytes(SEGMENT_ID_BYTES),
    base: reader.u64(),
    count: reader.u64(),
    hasFiles: reader.u8() === 1,
  }));
  const released = Array.from({ length: rangeCount }, () => ({ first: reader.u64(), count: reader.u64() }));
  reader.end();
  const state = { streamId, run, previousRun, runBase, nextBlock, nextNumber, nextSegment, segments, released };
  return { sequence, state };
}
