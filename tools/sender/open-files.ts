/** Files that the spool answers for: their chunks are read here as they are packed, and here they end. */
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import type { ChunkRecord } from './batch.ts';
import { type FileState, isSame, pathText, readPart, stateOf } from './file-state.ts';
import { putAside } from './put-aside.ts';
import type { Spool } from './spool.ts';
import type { FileEntry } from './spool-entry.ts';

/** Where delivered files go, and those that cannot be read: folders beside them. */
export const SENT_FOLDER = '.sent';
export const QUARANTINE_FOLDER = '.quarantine';

/** A file and the record number of its first chunk. */
export interface OpenFile {
  readonly first: number;
  readonly entry: FileEntry;
}

export class OpenFiles {
  /** Files, since the start of this process. */
  readonly counters = { filesDelivered: 0, filesFailed: 0 };
  readonly #spool: Spool;
  readonly #onProblem: (problem: Problem) => void;
  #all: OpenFile[] = [];

  /** Goes on with the files that the spool holds. */
  constructor(spool: Spool, onProblem: (problem: Problem) => void) {
    this.#spool = spool;
    this.#onProblem = onProblem;
    for (const { first, entry } of spool.files()) if (entry.kind === 'file') this.add(first, entry);
  }

  get all(): readonly OpenFile[] {
    return this.#all;
  }

  /** Whether this very file is on its way. */
  has(path: Uint8Array, state: FileState): boolean {
    return this.#all.some(({ entry }) => Buffer.compare(entry.path, path) === 0 && isSame(entry, state));
  }

  /** The file that record `seq` is a chunk of. */
  holding(seq: number): OpenFile | undefined {
    return this.#all.find(({ first, entry }) => first <= seq && seq < first + entry.count);
  }

  add(first: number, entry: FileEntry): void {
    this.#all.push({ first, entry });
    this.#spool.keep(first, entry.count, true);
  }

  /** Reads a chunk for a block with `room` bytes. Refuses `file-not-sent` for a file that is not what it was. */
  read({ first, entry }: OpenFile, index: number, room: number): ChunkRecord {
    const { name, groupId: id, count, sha256: wholeSha256, chunkBytes, size } = entry;
    const length = Math.min(chunkBytes, size - index * chunkBytes);
    if (2 + Buffer.byteLength(name) + length > room) {
      throw new Problem('file-not-sent', `${pathText(entry.path)} was cut for larger blocks than this route has`);
    }
    const bytes = readPart(entry.path, entry, index * chunkBytes, length);
    return { seq: first + index, group: { id, index, count, wholeSha256 }, name, bytes };
  }

  /** The file is delivered, and the spool knows it: puts it where delivered files belong. */
  deliver(file: OpenFile): void {
    const { path, after, groupId } = file.entry;
    try {
      const state = after === 'keep' ? null : stateOf(path);
      if (state && isSame(file.entry, state)) putAside(path, after === 'move' ? SENT_FOLDER : null, toHex(groupId));
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      const fact = `${pathText(path)} was delivered and cannot be put away (${code ?? message})`;
      this.#onProblem(new Problem('file-not-sent', fact)); // asked again after the next block
      return;
    }
    this.counters.filesDelivered += 1;
    this.#close(file);
  }

  /** The file will not be sent further. */
  fail(file: OpenFile, problem: Problem): void {
    this.counters.filesFailed += 1;
    this.#onProblem(problem);
    this.#close(file);
  }

  /** The file was sent in vain and must not be sent again: puts it aside, unless it is to stay where it is. */
  quarantine(file: OpenFile, why: string): void {
    const { path, after, groupId } = file.entry;
    try {
      const state = after === 'keep' ? null : stateOf(path);
      if (state && isSame(file.entry, state)) putAside(path, QUARANTINE_FOLDER, toHex(groupId));
    } catch (thrown) {
      const { code, message } = thrown as NodeJS.ErrnoException;
      this.#onProblem(new Problem('file-not-sent', `${pathText(path)} cannot be put aside (${code ?? message})`));
    }
    this.fail(file, new Problem('file-not-sent', `${pathText(path)} ${why}`));
  }

  #close({ first, entry }: OpenFile): void {
    this.#all = this.#all.filter((file) => file.first !== first);
    this.#spool.keep(first, entry.count, false);
  }
}
