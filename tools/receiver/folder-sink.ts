/**
 * Readings and files to a folder. Each block's readings become one JSON-lines file whose name is its first record's
 * id, so that writing it again changes nothing; a file arrives whole, checked, and under a safe name.
 *
 *     DIR/<sender>/readings/<stream>-<run>-<seq>.jsonl
 *     DIR/<sender>/files/<name>
 *     DIR/.incoming/<group>/<index>                      chunks of files that are not whole yet
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { equalBytes } from '../../protocol/bytes.ts';
import { Problem } from '../../protocol/problem.ts';
import { toHex } from '../../protocol/text.ts';
import { writeFileAtomic } from '../lib/files.ts';
import { safeName } from './safe-name.ts';
import { type ChunkDelivery, type RecordBatch, recordId, recordJson, type Sink, SinkRefusal } from './sink.ts';

/** Most chunks of one file: 4 TiB in 5 MiB blocks is far beyond any disk here. */
const MAX_CHUNKS = 1_000_000;

export class FolderSink implements Sink {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
    guarded(root, () => mkdirSync(root, { recursive: true }));
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
    const folder = join(this.#root, '.incoming', toHex(group.id));
    if (existsSync(join(folder, 'whole'))) return true;
    guarded(folder, () => writeFileAtomic(join(folder, String(group.index)), chunk.bytes));
    for (let index = 0; index < group.count; index++) if (!existsSync(join(folder, String(index)))) return false;
    guarded(folder, () => this.#assemble(folder, chunk));
    return true;
  }

  async close(): Promise<void> {}

  /** Joins the chunks, checks the whole, and lets the file appear under its name in one step. */
  #assemble(folder: string, { group, sender, name }: ChunkDelivery): void {
    const joined = join(folder, 'joined');
    rmSync(joined, { force: true });
    const hash = createHash('sha256');
    for (let index = 0; index < group.count; index++) {
      const part = readFileSync(join(folder, String(index)));
      hash.update(part);
      appendFileSync(joined, part, { mode: 0o644 });
    }
    if (!equalBytes(hash.digest(), group.wholeSha256)) {
      rmSync(folder, { recursive: true, force: true });
      throw new SinkRefusal(`the file of ${sender} is not what its chunks say: SHA-256 differs`);
    }
    syncFile(joined);
    const target = join(this.#root, safeName(sender), 'files');
    mkdirSync(target, { recursive: true });
    publish(joined, target, safeName(name));
    writeFileAtomic(join(folder, 'whole'), '');
    for (let index = 0; index < group.count; index++) rmSync(join(folder, String(index)));
    rmSync(joined);
  }
}

/** Gives `file` the name `name` in `folder`, or the first free of `name.1`, `name.2`: nothing is ever replaced. */
function publish(file: string, folder: string, name: string): void {
  for (let copy = 0; ; copy++) {
    try {
      linkSync(file, join(folder, copy === 0 ? name : `${name}.${copy}`));
      return;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
    }
  }
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
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
