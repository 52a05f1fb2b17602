/**
 * The archive of one relay's log over years, on the air-gapped server:
 *
 *     archive.json     pin of the relay's log key
 *     epochs/<id>/     every epoch in the layout of an export
 *     incoming/        what is being taken in; nothing of it counts
 *     lock
 *
 * Such a folder is itself one that `ghostpipe-audit` verifies, shows and searches.
 */
import { lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { equalBytes } from '../../protocol/bytes.ts';
import { canonicalText, parseJson } from '../../protocol/canonical.ts';
import { Problem } from '../../protocol/problem.ts';
import { check, object } from '../../protocol/shape.ts';
import { pinText, version1 } from '../../protocol/shapes.ts';
import { readFileBounded, readPlainFile, syncPath, writeFileAtomic } from '../lib/files.ts';
import { lockFolder } from '../lib/folder-lock.ts';
import { EpochFolder } from './epoch-folder.ts';
import { EPOCHS, type EpochFile, epochPath } from './layout.ts';

const SETTINGS = 'archive.json';
const INCOMING = 'incoming';
const LIMIT = 4096;
/** More than any file of the layout may have. */
const MAX_FILE_BYTES = 2 ** 22;
const settings = object({ v: version1, logPin: pinText });

/** What an epoch's folder got. */
export interface Added {
  readonly files: number;
  readonly bytes: number;
}

export class ArchiveStore {
  readonly path: string;
  /** Where the next export is brought together before it is checked. */
  readonly incoming: string;
  readonly #unlock: () => void;

  /**
   * Opens the archive, or begins one, for this process alone. Refuses `spool-in-use` when another has it, `pin-mismatch`
   * when it is of another relay.
   */
  constructor(path: string, logPin: string) {
    this.path = path;
    this.incoming = join(path, INCOMING);
    this.#unlock = lockFolder(path);
    try {
      this.#requirePin(logPin);
      this.clearIncoming();
    } catch (thrown) {
      this.#unlock();
      throw thrown;
    }
  }

  get isEmpty(): boolean {
    return !lstatSync(join(this.path, EPOCHS), { throwIfNoEntry: false });
  }

  /** The folder of an epoch; null when the archive has nothing of it. */
  epoch(id: string): EpochFolder | null {
    const path = this.#placeOf(id);
    return lstatSync(path, { throwIfNoEntry: false }) ? new EpochFolder(path) : null;
  }

  /** Adds a file to an epoch; null when the epoch has the very same. */
  write(id: string, file: EpochFile, bytes: Uint8Array): Uint8Array | null {
    const path = join(this.#placeOf(id), epochPath(file));
    const there = readPlainFile(path, MAX_FILE_BYTES);
    if (there && equalBytes(there, bytes)) return null;
    writeFileAtomic(path, bytes, 0o644);
    return bytes;
  }

  /**
   * Moves what was checked in `incoming` to the epoch. Heads come after the records that they cover, so that whatever
   * stands here at any moment verifies; a run that was cut short is done again.
   */
  take(id: string, incoming: EpochFolder): Added {
    let [files, bytes] = [0, 0];
    const inOrder = [...incoming.files.values()].sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
    for (const file of inOrder) {
      const added = this.#move(id, incoming, file);
      if (added === null) continue;
      files += 1;
      bytes += added;
    }
    this.#dropNarrow(id);
    return { files, bytes };
  }

  /** Makes `incoming` empty. */
  clearIncoming(): void {
    rmSync(this.incoming, { recursive: true, force: true });
  }

  close(): void {
    this.#unlock();
  }

  /** Bytes of the file; null when what the epoch had is as good. */
  #move(id: string, incoming: EpochFolder, file: EpochFile): number | null {
    const path = epochPath(file);
    const [from, to] = [join(incoming.path, path), join(this.#placeOf(id), path)];
    const bytes = incoming.read(file)!;
    const there = readPlainFile(to, MAX_FILE_BYTES);
    if (there && (equalBytes(there, bytes) || (file.kind === 'head' && there.length > bytes.length))) return null; // longer: cosigned
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    syncPath(from);
    renameSync(from, to);
    return bytes.length;
  }

  /** A partial tile that a wider one continues is of no use any more. */
  #dropNarrow(id: string): void {
    const folder = new EpochFolder(this.#placeOf(id));
    for (const [path, file] of folder.files) {
      if (file.kind !== 'tile') continue;
      const { level, index, width } = file.tile;
      if (folder.widths(level, index).at(-1)! > width) rmSync(join(folder.path, path));
    }
  }

  #placeOf(id: string): string {
    return join(this.path, EPOCHS, id);
  }

  #requirePin(logPin: string): void {
    const path = join(this.path, SETTINGS);
    const bytes = readFileBounded(path, LIMIT);
    if (!bytes) {
      writeFileAtomic(path, `${canonicalText({ v: 1, logPin })}\n`, 0o644);
      return;
    }
    const known = check(settings, parseJson(bytes, LIMIT)).logPin;
    if (known !== logPin) {
      throw new Problem('pin-mismatch', `${this.path} is the archive of the log key ${known}, the pin is ${logPin}`);
    }
  }
}

const ORDER: readonly EpochFile['kind'][] = [
  'tile',
  'proof',
  'growth',
  'cosignature',
  'verifier-keys',
  'statement',
  'head',
  'checkpoint',
];
