/**
 * Readings and files to a folder. Each block's readings become one JSON-lines file whose name is its first record's
 * id, so that writing it again changes nothing; a file arrives whole, checked, and under a safe name.
 *
 *     DIR/<sender>/readings/<stream>-<run>-<seq>.jsonl
 *     DIR/<sender>/files/<name>
 *     DIR/.incoming/<sender>-<group>/<index>             chunks of files that are not whole yet
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../protocol/bytes.ts';
import type { FileGroup } from '../../protocol/frame.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { syncPath, TEMPORARY_SUFFIX, writeFileAtomic } from '../lib/files.ts';
import { safeName } from './safe-name.ts';
import { type ChunkDelivery, type RecordBatch, recordId, recordJson, type Sink, SinkRefusal } from './sink.ts';

/** Most chunks of one file: 4 TiB in 5 MiB blocks is far beyond any disk here. */
const MAX_CHUNKS = 1_000_000;

export class FolderSink implements Sink {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    guarded(root, () => {
      mkdirSync(root, { recursive: true });
      for (const sender of readdirSync(root)) removeTemporaries(join(root, sender, 'readings'));
    });
  }

  async commitRecords(batch: RecordBatch): Promise<void> {
    const [first] = batch.records;
    const path = join(this.#root, safeName(batch.sender), 'readings', `${recordId(batch, first!.seq)}.jsonl`);
    const lines = batch.records.map((record) => `${JSON.stringify(recordJson(batch, record))}\n`);
    guarded(path, () => writeFileAtomic(path, lines.join(''), 0o644));
  }

  async commitChunk(chunk: ChunkDelivery): Promise<boolean> {
    const { group } = chunk;
    if (group.count < 1 || group.count > MAX_CHUNKS || group.index >= group.count) {
      throw new SinkRefusal(`chunk ${group.index} of ${group.count} is out of range`);
    }
    const folder = join(this.#root, '.incoming', `${safeName(chunk.sender)}-${toHex(group.id)}`);
    return guarded(folder, () => {
      if (!existsSync(join(folder, 'whole'))) {
        writeFileAtomic(join(folder, String(group.index)), chunk.bytes);
        if (!hasAll(folder, group.count)) return false;
        this.#assemble(folder, chunk);
      }
      for (const name of readdirSync(folder)) if (name !== 'whole') rmSync(join(folder, name));
      return true;
    });
  }

  async close(): Promise<void> {}

  /** Joins the chunks, checks the whole, and lets the file appear under its name in one step. */
  #assemble(folder: string, { group, sender, name }: ChunkDelivery): void {
    const joined = join(folder, 'joined');
    if (!existsSync(joined) && !joinChunks(folder, group, joined)) {
      rmSync(folder, { recursive: true, force: true });
      throw new SinkRefusal(`the file of ${sender} is not what its chunks say: SHA-256 differs`);
    }
    const target = join(this.#root, safeName(sender), 'files');
    mkdirSync(target, { recursive: true });
    publish(joined, target, safeName(name));
    syncPath(target);
    writeFileAtomic(join(folder, 'whole'), '');
  }
}

/** What a killed receiver left half written: it is written anew when its block comes again. */
function removeTemporaries(folder: string): void {
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    if (name.startsWith('.') && name.endsWith(TEMPORARY_SUFFIX)) rmSync(join(folder, name), { force: true });
  }
}

/** Looks from the last chunk backwards: chunks come in order, so one look is mostly enough. */
function hasAll(folder: string, count: number): boolean {
  for (let index = count - 1; index >= 0; index--) if (!existsSync(join(folder, String(index)))) return false;
  return true;
}

/** Joins all chunks as `joined`, durable; false when their SHA-256 is not the one that was announced. */
function joinChunks(folder: string, { count, wholeSha256 }: FileGroup, joined: string): boolean {
  const joining = join(folder, 'joining');
  rmSync(joining, { force: true });
  const hash = createHash('sha256');
  for (let index = 0; index < count; index++) {
    const part = readFileSync(join(folder, String(index)));
    hash.update(part);
    appendFileSync(joining, part, { mode: 0o644 });
  }
  if (!equalBytes(hash.digest(), wholeSha256)) return false;
  syncPath(joining);
  renameSync(joining, joined);
  return true;
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
    if (thrown instanceof SinkRefusal || thrown instanceof Problem) throw thrown;
    throw new Problem('sink-failed', `${path} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}
