/** The files of one epoch, wherever they are: on a disk, or what a browser was given. What is read proves nothing by itself. */
import { MAX_EPOCH_RECORD_BYTES, MAX_LOG_RECORD_BYTES } from '../../protocol/log-record.ts';
import { HASH_BYTES } from '../../protocol/merkle.ts';
import { MAX_NOTE_BYTES } from '../../protocol/note.ts';
import { sealedLength } from '../../protocol/sealed-bundle.ts';
import { TILE_WIDTH, type Tile, tilePath } from '../../protocol/tile.ts';
import { type EpochFile, epochPath } from './layout.ts';
import { type Unseal, unopened } from './unseal.ts';

/** The longest bundle: leaf 0 and 255 other records, each with its length. */
export const MAX_BUNDLE_BYTES: number = TILE_WIDTH * (2 + MAX_LOG_RECORD_BYTES) + MAX_EPOCH_RECORD_BYTES;
/** Lines, hashes and extra data in front of a checkpoint, and that. */
export const MAX_PROOF_BYTES: number = 32_768 + MAX_NOTE_BYTES;
const MAX_KEYS_BYTES = 65_536;

/** A name in the folder that is no file of the layout. */
export interface Strange {
  /** Below the folder of the epoch. As it stands there: not safe to print. */
  readonly path: string;
  /** True for a link, a device or a pipe under any name, and for a folder in place of a file or a file in place of one. */
  readonly isTrick: boolean;
}

/** Gives the bytes of a file that is there; refuses `file-invalid` for one larger than `limit` bytes. */
export type ReadFile = (path: string, limit: number) => Uint8Array | null;

export class EpochFiles {
  /** Names that are no part of an export. */
  readonly strange: readonly Strange[];
  /** True on a live stick while the epoch goes on: what fills no bundle yet is in a journal, which is not read here. */
  readonly hasJournal: boolean;
  readonly #files: ReadonlyMap<string, EpochFile>;
  readonly #read: ReadFile;
  readonly #unseal: Unseal;
  /** Widths that are there, ascending, by level and index. */
  readonly #widths = new Map<string, number[]>();

  /** Of files of the layout by their paths below the epoch, which `read` gives; `unseal` opens what is sealed. */
  constructor(
    files: ReadonlyMap<string, EpochFile>,
    strange: readonly Strange[],
    read: ReadFile,
    { hasJournal = false, unseal = unopened }: { readonly hasJournal?: boolean; readonly unseal?: Unseal } = {},
  ) {
    this.#files = files;
    this.strange = strange;
    this.hasJournal = hasJournal;
    this.#read = read;
    this.#unseal = unseal;
    for (const { level, index, width } of this.#tiles()) {
      const key = `${level}/${index}`;
      const known = this.#widths.get(key);
      if (known) known.push(width);
      else this.#widths.set(key, [width]);
    }
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

  /** Indices of the bundles, the last one first. */
  get bundles(): readonly number[] {
    const indices = this.#tiles()
      .filter(({ level }) => level === 'entries')
      .map(({ index }) => index);
    return [...new Set(indices)].sort((a, b) => b - a);
  }

  /** Widths in which a tile or bundle is there, ascending. */
  widths(level: Tile['level'], index: number): readonly number[] {
    return this.#widths.get(`${level}/${index}`) ?? [];
  }

  /**
   * The bytes of a file; null when it is not there. Refuses `file-invalid` for what is no regular file, or larger than
   * such a file can be. A bundle that is sealed is opened; refuses `log-sealed` without its key.
   */
  read(file: EpochFile): Uint8Array | null {
    const path = epochPath(file);
    if (this.#files.has(path)) return this.#read(path, limitOf(file));
    if (file.kind !== 'tile' || file.tile.level !== 'entries') return null;
    const sealed = this.read({ kind: 'sealed', tile: file.tile });
    return sealed && this.#unseal(tilePath(file.tile), sealed);
  }

  /** Tiles and bundles, sealed ones among them. */
  #tiles(): Tile[] {
    return [...this.#all('tile'), ...this.#all('sealed')].map(({ tile }) => tile);
  }

  #all<K extends EpochFile['kind']>(kind: K): Extract<EpochFile, { kind: K }>[] {
    return [...this.#files.values()].filter((file) => file.kind === kind) as Extract<EpochFile, { kind: K }>[];
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
    case 'sealed':
      return sealedLength(MAX_BUNDLE_BYTES);
    case 'tile':
      return file.tile.level === 'entries' ? MAX_BUNDLE_BYTES : file.tile.width * HASH_BYTES;
  }
}
