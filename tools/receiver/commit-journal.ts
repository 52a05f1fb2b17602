/**
 * One line on disk: which file of readings is being written. After a crash between the file and the stream mark it
 * tells which records are committed already, in case they come again in other blocks.
 *
 * The line has a fixed length and is written in place. One that a crash tore does not parse, and its file was not
 * begun then.
 */
import { closeSync, constants, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { readFileBounded, syncPath } from '../lib/files.ts';

const LINE_BYTES = 4096;

export class CommitJournal {
  readonly #path: string;
  #file: number | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The path that was written down last; null when there is none. */
  last(): string | null {
    const bytes = readFileBounded(this.#path, LINE_BYTES);
    try {
      return bytes && (JSON.parse(Buffer.from(bytes).toString()) as { path: string }).path;
    } catch {
      return null;
    }
  }

  /** Makes durable that `path` is being written. Refuses `sink-failed`. */
  begin(path: string): void {
    const line = Buffer.alloc(LINE_BYTES, ' ');
    line.write(JSON.stringify({ path }));
    try {
      this.#file ??= openDurable(this.#path);
      for (let at = 0; at < line.length; ) at += writeSync(this.#file, line, at, line.length - at, at);
      fdatasyncSync(this.#file);
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      throw new Problem('sink-failed', `the journal ${this.#path} cannot be written (${code})`);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

function openDurable(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  syncPath(dirname(path));
  return file;
}
