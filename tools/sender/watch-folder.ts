/**
 * A folder whose files are sent as they become complete: when size and times stood still for a while. Hidden files,
 * `*.tmp`, `*.part`, `*~`, folders, links and everything else that is no regular file are left alone.
 *
 * One look reads a bounded number of names and remembers a bounded number of files, the oldest first, so that a
 * folder of any size costs neither time nor memory.
 */
import { type Dir, mkdirSync, opendirSync } from 'node:fs';
import { join } from 'node:path';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { type FileSourceOptions, MAX_OPEN_FILES, takeFile } from './file-source.ts';
import { FileChanged, type FileState, isSame, stateOf } from './file-state.ts';
import { QUARANTINE_FOLDER, SENT_FOLDER } from './open-files.ts';
import { putAside } from './put-aside.ts';

/** Names that one look reads. */
const NAMES = 4096;
/** Files that are looked at again until they stand still. */
const CANDIDATES = 64;
/** Files that cannot be sent nor moved, remembered so that each is named once. */
const STUCK = 1024;
const UNFINISHED = /^\.|\.tmp$|\.part$|~$/;

export interface WatchOptions extends FileSourceOptions {
  readonly folder: string;
  /** How long a file must stand still, in ms of the monotonic clock. */
  readonly settleMs: number;
}

interface Candidate {
  readonly path: Buffer;
  readonly state: FileState;
  /** Monotonic ms since when it is known to stand still. */
  readonly sinceMs: number;
}

export class WatchFolder {
  /** Files that were put aside since the start of this process. */
  quarantined = 0;
  readonly #options: WatchOptions;
  #candidates: Candidate[] = [];
  #pass: { readonly dir: Dir; readonly found: Candidate[] } | null = null;
  readonly #stuck = new Map<string, FileState>();
  #isIdle = false;

  /** Refuses `file-invalid` for a folder in which nothing can be moved. */
  constructor(options: WatchOptions) {
    this.#options = options;
    try {
      for (const name of [SENT_FOLDER, QUARANTINE_FOLDER]) mkdirSync(join(options.folder, name), { recursive: true });
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      throw new Problem('file-invalid', `${options.folder} cannot be watched: no folder can be made in it (${code})`);
    }
  }

  /** Whether the last time through the folder found nothing to send. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  /** Takes in what stood still, and looks through the next part of the folder. */
  async look(signal: AbortSignal): Promise<void> {
    const { clock, files, settleMs } = this.#options;
    const candidates = this.#candidates;
    this.#candidates = [];
    for (const candidate of candidates) {
      const state = this.#stateOf(candidate.path);
      if (!state || !isSame(state, candidate.state)) continue; // the next pass finds it again if it is there
      const isDue = clock.now() - candidate.sinceMs >= settleMs && files.all.length < MAX_OPEN_FILES;
      if (!isDue || signal.aborted || !(await this.#take(candidate, signal))) this.#candidates.push(candidate);
    }
    if (this.#candidates.length < CANDIDATES && !signal.aborted) this.#lookOn();
  }

  /** Reads the next names; at the end of the folder what was found becomes candidates. */
  #lookOn(): void {
    try {
      this.#pass ??= { dir: openDir(this.#options.folder), found: [] };
      const { dir, found } = this.#pass;
      for (let count = 0; count < NAMES; count++) {
        const name = dir.readSync()?.name as Buffer | undefined;
        if (name) this.#find(name, found);
        else {
          dir.closeSync();
          this.#pass = null;
          this.#isIdle = found.length === 0 && this.#candidates.length === 0;
          this.#candidates.push(...found.slice(0, CANDIDATES - this.#candidates.length));
          return;
        }
      }
    } catch (thrown) {
      this.#pass = null;
      const { code } = thrown as NodeJS.ErrnoException;
      this.#options.onProblem(new Problem('file-not-sent', `${this.#options.folder} cannot be read (${code})`));
    }
  }

  /** Keeps the file in `found` when it may be sent and is among the oldest. */
  #find(name: Buffer, found: Candidate[]): void {
    if (UNFINISHED.test(name.toString('latin1'))) return;
    const { folder, files, clock } = this.#options;
    const path = Buffer.concat([Buffer.from(folder), Buffer.from('/'), name]);
    const state = this.#stateOf(path);
    if (!state || files.has(path, state) || this.#isStuck(path, state)) return;
    if (this.#candidates.some((candidate) => candidate.path.equals(path))) return;
    const at = found.findLastIndex((other) => other.state.mtimeUs <= state.mtimeUs) + 1;
    found.splice(at, 0, { path, state, sinceMs: clock.now() });
    if (found.length > CANDIDATES) found.pop();
  }

  /** Takes a file in; false when it has to wait. What cannot be read is put aside and never stands in the way. */
  async #take({ path, state }: Candidate, signal: AbortSignal): Promise<boolean> {
    try {
      await takeFile(path, this.#options, signal);
    } catch (thrown) {
      const problem = asProblem(thrown);
      if (signal.aborted || problem instanceof FileChanged) return true; // found again, if it is there
      this.#options.onProblem(problem);
      if (problem.code === 'spool-full' || problem.code === 'spool-failed') return false;
      this.#quarantine(path, state);
    }
    return true;
  }

  #quarantine(path: Buffer, state: FileState): void {
    this.quarantined += 1;
    try {
      putAside(path, QUARANTINE_FOLDER, toHex(this.#options.engine.random(8)));
    } catch {
      if (this.#stuck.size >= STUCK) this.#stuck.delete(this.#stuck.keys().next().value!);
      this.#stuck.set(path.toString('latin1'), state);
    }
  }

  #isStuck(path: Buffer, state: FileState): boolean {
    const known = this.#stuck.get(path.toString('latin1'));
    return known !== undefined && isSame(known, state);
  }

  #stateOf(path: Buffer): FileState | null {
    try {
      return stateOf(path);
    } catch {
      return null;
    }
  }
}

function openDir(folder: string): Dir {
  return opendirSync(folder, { encoding: 'buffer' as BufferEncoding, bufferSize: 512 }); // Node takes 'buffer', its types do not
}
