/**
 * Readings and files to a folder. Each block's readings become one JSON-lines file whose name is its first record's
 * id, so that writing it again changes nothing; a file arrives whole, checked, and under a safe name.
 *
 *     DIR/<sender>/readings/<stream>-<run>-<seq>.jsonl
 *     DIR/<sender>/files/<name>
 *     DIR/<sender>/status.json                           whether it is stale
 *     DIR/.incoming/<sender>-<group>/                    files that are not whole yet
 */
import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { removeTemporaries, syncPath, writeFileAtomic } from '../lib/files.ts';
import { CommitJournal } from './commit-journal.ts';
import { IncomingFile } from './incoming-file.ts';
import { safeName } from './safe-name.ts';
import {
  type ChunkDelivery,
  type DeviceNote,
  noteJson,
  type RecordBatch,
  recordId,
  recordJson,
  type Sink,
  SinkRefusal,
} from './sink.ts';

/** How often to look for files that get no further chunk. */
const LOOK_MS = 600_000;
/** Looks without a new chunk until a file is given up: a week of running. */
const LOOKS = 1_008;

export interface FolderSinkOptions {
  readonly root: string;
  /** Path of the commit journal, beside the stream marks. */
  readonly journal: string;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Called again and again while a large file is checked. */
  readonly onProgress: () => void;
  /** Takes away the data of a file that is not what it should be, for somebody to look at; false leaves it. */
  readonly quarantine: (path: string, name: string) => boolean;
}

export class FolderSink implements Sink {
  readonly #options: FolderSinkOptions;
  readonly #root: string;
  readonly #journal: CommitJournal;
  /** Ids of the records that the last start committed last, perhaps without a mark. */
  readonly #committed: ReadonlySet<string>;
  #lookedMs: number;

  /** Makes the folder, and removes what a killed receiver left half written. Refuses `sink-failed`. */
  constructor(options: FolderSinkOptions) {
    this.#options = options;
    this.#root = options.root;
    this.#journal = new CommitJournal(options.journal);
    this.#lookedMs = options.now();
    this.#committed = guarded(this.#root, () => {
      mkdirSync(this.#root, { recursive: true });
      for (const sender of readdirSync(this.#root)) removeTemporaries(join(this.#root, sender, 'readings'));
      return idsIn(this.#journal.last());
    });
  }

  async commitRecords(batch: RecordBatch): Promise<number> {
    const records = batch.records.filter(({ seq }) => !this.#committed.has(recordId(batch, seq)));
    const [first] = records;
    if (!first) return 0;
    const path = join(this.#root, safeName(batch.sender), 'readings', `${recordId(batch, first.seq)}.jsonl`);
    const lines = records.map((record) => `${JSON.stringify(recordJson(batch, record))}\n`);
    guarded(path, () => {
      this.#journal.begin(path);
      writeFileAtomic(path, lines.join(''), 0o644);
    });
    return records.length;
  }

  async commitChunk(chunk: ChunkDelivery): Promise<boolean> {
    const { group, sender, bytes } = chunk;
    const folder = join(this.#root, '.incoming', `${safeName(sender)}-${toHex(group.id)}`);
    const file = new IncomingFile(folder);
    const isWhole = guarded(folder, () => {
      if (file.isWhole) return true;
      file.put(group, bytes);
      return false;
    });
    if (!isWhole && !guarded(folder, () => file.hasAll(group))) return false;
    if (!isWhole) await this.#deliver(file, chunk).catch((thrown: unknown) => rethrow(folder, thrown));
    guarded(folder, () => file.finish());
    return true;
  }

  async note(note: DeviceNote): Promise<void> {
    const path = join(this.#root, safeName(note.sender), 'status.json');
    guarded(path, () => writeFileAtomic(path, `${JSON.stringify(noteJson(note))}\n`, 0o644));
  }

  /** Every ten minutes looks for files that got no chunk, and removes those that got none for a week. */
  tend(): readonly string[] {
    if (this.#options.now() - this.#lookedMs < LOOK_MS) return [];
    this.#lookedMs = this.#options.now();
    const incoming = join(this.#root, '.incoming');
    return guarded(incoming, () => {
      mkdirSync(incoming, { recursive: true, mode: 0o700 });
      return readdirSync(incoming).flatMap((name) => giveUp(new IncomingFile(join(incoming, name)), name));
    });
  }

  async close(): Promise<void> {
    this.#journal.close();
  }

  /** Joins the chunks, checks the whole, and lets the file appear under its name in one step. */
  async #deliver(file: IncomingFile, { group, sender, name }: ChunkDelivery): Promise<void> {
    const joined = await file.join(group, this.#options.onProgress);
    if (joined === null) {
      this.#options.quarantine(file.data, safeName(`${sender}-${name}`));
      file.remove();
      throw new SinkRefusal(`the file ${safeName(name)} is not what its chunks say: SHA-256 differs`);
    }
    const target = join(this.#root, safeName(sender), 'files');
    mkdirSync(target, { recursive: true });
    publish(joined, target, safeName(name));
    syncPath(target);
  }
}

/** Ids of the records in a file of readings; none when there is no such file. */
function idsIn(path: string | null): Set<string> {
  if (path === null || !existsSync(path)) return new Set();
  const lines = readFileSync(path, 'utf8').split('\n');
  return new Set(lines.flatMap((line) => /^\{"sender":"[^"]*","id":"([0-9a-f]+-[0-9a-f]+-\d+)"/.exec(line)?.[1] ?? []));
}

/** Removes a file that got no chunk for too long; one that is whole without a word. */
function giveUp(file: IncomingFile, name: string): string[] {
  if (file.look() <= LOOKS) return [];
  const { isWhole, chunks } = file;
  file.remove();
  return isWhole ? [] : [`the file ${name} got no chunk for a week and is given up: ${chunks} of its chunks had come`];
}

/**
 * Gives `file` the name `name` in `folder`, or the first free of `name.1`, `name.2`: nothing is ever replaced. Does
 * nothing when the file got its name before a crash.
 */
function publish(file: string, folder: string, name: string): void {
  const { ino } = statSync(file);
  for (let copy = 0; ; copy++) {
    const path = join(folder, copy === 0 ? name : `${name}.${copy}`);
    const taken = lstatSync(path, { throwIfNoEntry: false });
    if (!taken) linkSync(file, path);
    if (!taken || taken.ino === ino) return;
  }
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (thrown) {
    return rethrow(path, thrown);
  }
}

function rethrow(path: string, thrown: unknown): never {
  if (thrown instanceof SinkRefusal || thrown instanceof Problem) throw thrown;
  if ((thrown as NodeJS.ErrnoException).code === 'EFBIG')
    throw new SinkRefusal('the file is larger than its disk takes');
  throw new Problem('sink-failed', `${path} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
}
