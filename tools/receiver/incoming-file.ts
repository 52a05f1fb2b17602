/**
 * A file on its way in: its chunks at their places in one sparse file, and beside it which of them are durable. Each
 * step may be the last of this process; the next one goes on from what stands here.
 *
 *     FOLDER/form.json   what its chunks have in common: how many, how long, SHA-256 of the whole
 *     FOLDER/data        the chunks
 *     FOLDER/have        one byte a chunk, 1 when it is durable in `data`
 *     FOLDER/last        the last chunk, whose place is known when another one came
 *     FOLDER/joined      `data` with all of it, durable and checked
 *     FOLDER/whole       an empty file: this one arrived under its name, and its chunks are removed
 *     FOLDER/idle        how often nothing had come when somebody looked
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  fdatasyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../protocol/bytes.ts';
import { canonicalText, parseJson } from '../../protocol/canonical.ts';
import type { FileGroup } from '../../protocol/frame.ts';
import { check, integer, type Of, object } from '../../protocol/shape.ts';
import { bytesText, version1 } from '../../protocol/shapes.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { readFileBounded, syncPath, writeFileAtomic } from '../lib/files.ts';
import { SinkRefusal } from './sink.ts';

/** Most chunks of one file: 4 TiB in 5 MiB blocks is far beyond any disk here. */
const MAX_CHUNKS = 1_000_000;
const MAX_CHUNK_BYTES = 0xffff_ffff;
const READ_BYTES = 1_048_576;

const formFile = object({
  v: version1,
  count: integer(2, MAX_CHUNKS),
  chunkBytes: integer(1, MAX_CHUNK_BYTES),
  wholeSha256: bytesText(32),
});

export class IncomingFile {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** True when the file arrived under its name before. */
  get isWhole(): boolean {
    return existsSync(this.#path('whole'));
  }

  /** True when all chunks are there. */
  hasAll({ count }: FileGroup): boolean {
    if (existsSync(this.#path('joined'))) return true;
    return existsSync(this.#path('last')) && this.chunks === count;
  }

  /** How many chunks are durable here. */
  get chunks(): number {
    const have = readFileBounded(this.#path('have'), MAX_CHUNKS) ?? new Uint8Array(0);
    return have.reduce((sum, each) => sum + each, existsSync(this.#path('last')) ? 1 : 0);
  }

  /** Makes a chunk durable. Refuses by `SinkRefusal` one that does not fit those that came before. */
  put(group: FileGroup, bytes: Uint8Array): void {
    const { index, count } = group;
    if (count < 1 || count > MAX_CHUNKS || index >= count) {
      throw new SinkRefusal(`chunk ${index} of ${count} is out of range`);
    }
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    rmSync(this.#path('idle'), { force: true });
    if (index === count - 1) {
      writeFileAtomic(this.#path('last'), bytes);
      return;
    }
    const { chunkBytes } = this.#form(group, bytes.length);
    if (bytes.length !== chunkBytes) {
      throw new SinkRefusal(`chunk ${index} has ${bytes.length} bytes, the ones before had ${chunkBytes}`);
    }
    this.#write('data', bytes, index * chunkBytes);
    this.#write('have', Uint8Array.of(1), index);
  }

  /**
   * Joins all chunks as one durable file and gives its path; null when its SHA-256 is not the one that was announced.
   * Reads in pieces and calls `onProgress` at each.
   */
  async join(group: FileGroup, onProgress: () => void): Promise<string | null> {
    const joined = this.#path('joined');
    if (existsSync(joined)) return joined;
    const last = readFileBounded(this.#path('last'), MAX_CHUNK_BYTES)!;
    const before = group.count === 1 ? 0 : (group.count - 1) * this.#form(group, last.length).chunkBytes;
    this.#write('data', last, before, before + last.length);
    if (!equalBytes(await hashOf(this.data, onProgress), group.wholeSha256)) return null;
    renameSync(this.data, joined);
    return joined;
  }

  /** Where the chunks stand before they are joined. */
  get data(): string {
    return this.#path('data');
  }

  /** Remembers that the file has its name, and lets go of its chunks. */
  finish(): void {
    if (!this.isWhole) writeFileAtomic(this.#path('whole'), '');
    for (const name of readdirSync(this.#folder)) if (name !== 'whole') rmSync(this.#path(name));
  }

  /** Counts one more look at which nothing had come since the last one; gives how many there were. */
  look(): number {
    const looks = Number(Buffer.from(readFileBounded(this.#path('idle'), 16) ?? []).toString()) || 0;
    writeFileSync(this.#path('idle'), String(looks + 1), { mode: 0o600 });
    return looks + 1;
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What the chunks have in common; written down by the first one whose length says it. */
  #form({ count, wholeSha256 }: FileGroup, length: number): { readonly chunkBytes: number } {
    const bytes = readFileBounded(this.#path('form.json'), READ_BYTES);
    if (bytes) {
      const form = parseForm(bytes);
      if (form.count === count && form.wholeSha256 === toBase64Url(wholeSha256)) return form;
      throw new SinkRefusal(`a chunk says ${count} chunks and another SHA-256, the ones before ${form.count}`);
    }
    if (length === 0) throw new SinkRefusal('a chunk that is not the last one is empty');
    const form = { v: 1 as const, count, chunkBytes: length, wholeSha256: toBase64Url(wholeSha256) };
    writeFileAtomic(this.#path('form.json'), canonicalText(form));
    return form;
  }

  /** Writes durably into a file of the folder; with `size` the file ends there. */
  #write(name: string, bytes: Uint8Array, position: number, size?: number): void {
    const path = this.#path(name);
    const isNew = !existsSync(path);
    const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at, position + at);
      if (size !== undefined) ftruncateSync(file, size);
      fdatasyncSync(file);
    } finally {
      closeSync(file);
    }
    if (isNew) syncPath(this.#folder);
  }

  #path(name: string): string {
    return join(this.#folder, name);
  }
}

function parseForm(bytes: Uint8Array): Of<typeof formFile> {
  try {
    return check(formFile, parseJson(bytes, READ_BYTES));
  } catch {
    throw new SinkRefusal('what is known of the chunks that came before is damaged');
  }
}

async function hashOf(path: string, onProgress: () => void): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: READ_BYTES })) {
    hash.update(piece as Buffer);
    onProgress();
  }
  return new Uint8Array(hash.digest());
}
