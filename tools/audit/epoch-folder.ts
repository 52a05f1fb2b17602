/**
 * Reads the folder of one epoch, which anybody may have written: only names of the layout are opened, no link is
 * followed, every file is bounded by what it can be. What is read proves nothing by itself.
 */
import { copyFileSync, type Dirent, lstatSync, mkdirSync, opendirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MAX_EPOCH_RECORD_BYTES, MAX_LOG_RECORD_BYTES } from '../../protocol/log-record.ts';
import { HASH_BYTES } from '../../protocol/merkle.ts';
import { MAX_NOTE_BYTES } from '../../protocol/note.ts';
import { Problem } from '../../protocol/problem.ts';
import { TILE_WIDTH, type Tile } from '../../protocol/tile.ts';
import { readPlainFile } from '../lib/files.ts';
import {
  EARLIER,
  EPOCHS,
  type EpochFile,
  epochPath,
  isEpochSubfolder,
  JOURNAL,
  MANIFEST,
  parseEpochPath,
  VIEWER,
} from './layout.ts';

/** Names in one folder of an epoch's tree, all together: a week of heads and four million records have 60,000. */
export const MAX_NAMES = 262_144;
/** The longest bundle: leaf 0 and 255 other records, each with its length. */
export const MAX_BUNDLE_BYTES: number = TILE_WIDTH * (2 + MAX_LOG_RECORD_BYTES) + MAX_EPOCH_RECORD_BYTES;
/** Lines, hashes and extra data in front of a checkpoint, and that. */
export const MAX_PROOF_BYTES: number = 32_768 + MAX_NOTE_BYTES;
const MAX_KEYS_BYTES = 65_536;
/** What the root of an export has beside the files of its newest epoch. */
const OF_THE_EXPORT = new Set([MANIFEST, VIEWER, EARLIER, EPOCHS, JOURNAL]);

/** A name in the folder that is no file of the layout. */
export interface Strange {
  /** Below the folder of the epoch. As it stands there: not safe to print. */
  readonly path: string;
  /** True for a link, a device or a pipe under any name, and for a folder in place of a file or a file in place of one. */
  readonly isTrick: boolean;
}

export class EpochFolder {
  readonly path: string;
  /** Names that are no part of an export. */
  readonly strange: readonly Strange[];
  /** True on a live stick while the epoch goes on: what fills no bundle yet is in a journal, which is not read here. */
  readonly hasJournal: boolean;
  readonly #files = new Map<string, EpochFile>();
  /** Widths that are there, ascending, by level and index. */
  readonly #widths = new Map<string, number[]>();

  /** Looks through the names. Refuses `file-invalid` for what is no folder, and for too many names. */
  constructor(path: string) {
    this.path = path;
    requireFolder(path);
    const strange: Strange[] = [];
    let names = 0;
    let hasJournal = false;
    const look = (folder: string): void => {
      for (const entry of entriesOf(join(path, folder))) {
        names += 1;
        if (names > MAX_NAMES) throw new Problem('file-invalid', `${path} holds more than ${MAX_NAMES} names`);
        const below = folder === '' ? entry.name : `${folder}/${entry.name}`;
        if (folder === '' && OF_THE_EXPORT.has(entry.name)) {
          hasJournal ||= entry.name === JOURNAL && entry.isDirectory();
          continue;
        }
        const file = parseEpochPath(below);
        if (entry.isDirectory() && isEpochSubfolder(below)) look(below);
        else if (entry.isFile() && file) this.#keep(below, file);
        else strange.push({ path: below, isTrick: !entry.isFile() || isEpochSubfolder(below) });
      }
    };
    look('');
    this.strange = strange;
    this.hasJournal = hasJournal;
    for (const widths of this.#widths.values()) widths.sort((a, b) => a - b);
  }

  /** Every file of the layout, by its path below the folder. */
  get files(): ReadonlyMap<string, EpochFile> {
    return this.#files;
  }

  /** Sizes of the heads under `checkpoints/`, ascending. */
  get headSizes(): readonly number[] {
    return this.#all('head')
      .map(({ size }) => size)
      .sort((a, b) => a - b);
  }

  /** Indices of the leaves that a `.tlog-proof` is about, ascending. */
  get proofIndices(): readonly number[] {
    return this.#all('proof')
      .map(({ index }) => index)
      .sort((a, b) => a - b);
  }

  /** From which size to which there is an `.add-checkpoint`. */
  get growths(): readonly Extract<EpochFile, { kind: 'growth' }>[] {
    return this.#all('growth');
  }

  get cosignatures(): readonly Extract<EpochFile, { kind: 'cosignature' }>[] {
    return this.#all('cosignature');
  }

  /** Widths in which a tile or bundle is there, ascending. */
  widths(level: Tile['level'], index: number): readonly number[] {
    return this.#widths.get(`${level}/${index}`) ?? [];
  }

  /**
   * The bytes of a file; null when it is not there. Refuses `file-invalid` for what is no regular file, or larger than
   * such a file can be.
   */
  read(file: EpochFile): Uint8Array | null {
    const path = epochPath(file);
    return this.#files.has(path) ? readPlainFile(join(this.path, path), limitOf(file)) : null;
  }

  #keep(path: string, file: EpochFile): void {
    this.#files.set(path, file);
    if (file.kind !== 'tile') return;
    const key = `${file.tile.level}/${file.tile.index}`;
    const known = this.#widths.get(key);
    if (known) known.push(file.tile.width);
    else this.#widths.set(key, [file.tile.width]);
  }

  #all<K extends EpochFile['kind']>(kind: K): Extract<EpochFile, { kind: K }>[] {
    return [...this.#files.values()].filter((file) => file.kind === kind) as Extract<EpochFile, { kind: K }>[];
  }
}

/** Copies the files of an epoch, and nothing else that is in its folder. */
export function copyEpoch(from: string, to: string): void {
  for (const path of new EpochFolder(from).files.keys()) {
    mkdirSync(dirname(join(to, path)), { recursive: true });
    copyFileSync(join(from, path), join(to, path));
  }
}

/** Refuses `file-invalid` unless `path` is a folder and no link to one. */
export function requireFolder(path: string): void {
  if (!lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    throw new Problem('file-invalid', `${path} is not a folder`);
  }
}

/** The names in a folder, one by one: who made it may have made millions. */
export function* entriesOf(path: string): Generator<Dirent> {
  const folder = opendirSync(path);
  try {
    for (let entry = folder.readSync(); entry; entry = folder.readSync()) yield entry;
  } finally {
    folder.closeSync();
  }
}

function limitOf(file: EpochFile): number {
  switch (file.kind) {
    case 'checkpoint':
    case 'head':
    case 'cosignature':
      return MAX_NOTE_BYTES;
    case 'statement':
    case 'proof':
    case 'growth':
      return MAX_PROOF_BYTES;
    case 'verifier-keys':
      return MAX_KEYS_BYTES;
    case 'tile':
      return file.tile.level === 'entries' ? MAX_BUNDLE_BYTES : file.tile.width * HASH_BYTES;
  }
}
