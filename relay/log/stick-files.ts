/**
 * Whole files on the stick: each is written under another name, synced, renamed to its own and its folder synced, so
 * that a file under its name is whole after a power cut. FAT replaces no file safely, so a name is used once.
 *
 * After a failure nothing is believed of the file that was being written: it is removed and written anew.
 */
import { dirname } from 'node:path';
import { equalBytes } from '../../protocol/bytes.ts';
import { isMissing, type StickDisk } from './stick-disk.ts';

/** No file on the stick is larger. */
export const MAX_FILE_BYTES: number = 2 ** 24 + 512;
/** How the names begin of files that are not whole. */
export const UNFINISHED = 'new-';

export class StickFiles {
  readonly #disk: StickDisk;
  readonly #unfinished: string;
  readonly #onFinding: (fact: string) => void;
  readonly #folders = new Set(['', '.']);
  /** Files that a failure came to, and what it may have left. */
  readonly #suspect = new Set<string>();
  #count = 0;

  /** `unfinished` is the folder for files that are not whole yet. */
  constructor(disk: StickDisk, unfinished: string, onFinding: (fact: string) => void) {
    this.#disk = disk;
    this.#unfinished = unfinished;
    this.#onFinding = onFinding;
  }

  /** Makes a folder and those above it, durable. */
  async folder(path: string): Promise<void> {
    if (this.#folders.has(path)) return;
    const above = dirname(path);
    await this.folder(above);
    const isNew = await this.#disk.makeFolder(path).then(
      () => true,
      (thrown: NodeJS.ErrnoException) => {
        if (thrown.code === 'EEXIST') return false;
        throw thrown;
      },
    );
    await this.#disk.syncFolder(above === '.' ? '' : above).catch(async (thrown) => {
      if (isNew) await this.#disk.removeFolder(path).catch(() => {}); // the next sync would not mean it
      throw thrown;
    });
    this.#folders.add(path);
  }

  /** Makes a file, durable. One that is there already and is the same is left; another one is told of and replaced. */
  async publish(path: string, bytes: Uint8Array): Promise<void> {
    const there = await this.#there(path, MAX_FILE_BYTES);
    if (there && equalBytes(there, bytes) && !this.#suspect.has(path)) return;
    if (there && !this.#suspect.has(path))
      this.#onFinding(`${path} on the stick was not as it was written: it is written anew`);
    await this.replace(path, bytes);
  }

  /** Makes a file, durable, unless one of its name was made before, with whatever it holds. */
  async add(path: string, bytes: Uint8Array): Promise<void> {
    if (this.#suspect.has(path) || !(await this.#there(path, MAX_FILE_BYTES))) await this.replace(path, bytes);
  }

  /** Makes a file, durable, in place of whatever has its name. A power cut can leave neither the old one nor the new. */
  async replace(path: string, bytes: Uint8Array): Promise<void> {
    const folder = dirname(path) === '.' ? '' : dirname(path);
    await this.folder(folder);
    await this.folder(this.#unfinished);
    this.#suspect.add(path);
    this.#count += 1;
    const unfinished = `${this.#unfinished}/${UNFINISHED}${this.#count}`;
    await this.remove(unfinished);
    const file = await this.#disk.create(unfinished);
    try {
      await file.write(bytes, 0);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.remove(path);
    await this.#disk.rename(unfinished, path);
    await this.#disk.syncFolder(folder);
    this.#suspect.delete(path);
  }

  /** Removes a file, if it is there; durable with the next change of its folder. */
  async remove(path: string): Promise<void> {
    await this.#disk.remove(path).catch((thrown) => {
      if (!isMissing(thrown)) throw thrown;
    });
  }

  /** The names in a folder; none where there is no such folder. */
  async names(folder: string): Promise<string[]> {
    return namesIn(this.#disk, folder);
  }

  async #there(path: string, length: number): Promise<Uint8Array | null> {
    try {
      return await this.#disk.read(path, length);
    } catch (thrown) {
      if (isMissing(thrown)) return null;
      if ((thrown as { code?: string }).code === 'file-invalid') return new Uint8Array(0);
      throw thrown;
    }
  }
}

/** The names in a folder of a disk; none where there is no such folder. */
export async function namesIn(disk: StickDisk, folder: string): Promise<string[]> {
  try {
    return await disk.list(folder);
  } catch (thrown) {
    if (isMissing(thrown)) return [];
    throw thrown;
  }
}
