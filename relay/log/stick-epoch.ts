/**
 * One epoch on the stick. While it is open its records go to the journal, and each bundle that is full becomes a file;
 * once it has ended all of it is files, partial tiles too, and the journal goes.
 */
import { utf8 } from '../../protocol/bytes.ts';
import type { JournalItem } from '../../protocol/journal-segment.ts';
import { type Hasher, inclusionProof } from '../../protocol/merkle.ts';
import { newTiles, parseBundle, TILE_WIDTH, type Tile, tilePath } from '../../protocol/tile.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import type { EpochTree } from './epoch-tree.ts';
import type { KeptEpoch } from './kept-epoch.ts';
import type { PublishedHead } from './log-view.ts';
import type { StickDisk } from './stick-disk.ts';
import { StickFiles } from './stick-files.ts';
import { StickJournal } from './stick-journal.ts';

/** More records than this that are nowhere on the stick become files first, and only the rest goes to the journal. */
const BACKLOG = 4 * TILE_WIDTH;
/** A head that covers no new bundle becomes a file after this. */
const HEAD_MS = 3_600_000;

export interface StickEpochOptions {
  readonly disk: StickDisk;
  readonly epoch: KeptEpoch;
  readonly hasher: Hasher;
  readonly random: (length: number) => Uint8Array;
  /** Both signatures of the epoch's keys over so many records and a chain. */
  readonly sign: (below: number, chain: Uint8Array) => Promise<Uint8Array>;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly onFinding: (fact: string) => void;
}

export class StickEpoch {
  readonly #options: StickEpochOptions;
  readonly #folder: string;
  readonly #files: StickFiles;
  #journal: StickJournal | null = null;
  /** Segments of the journals before this one. */
  #old: string[] = [];
  /** Bundles that are files, and records that are files or in the journal. */
  #bundles = 0;
  #below = 0;
  #journalHead: PublishedHead | null = null;
  #fileHead: PublishedHead | null = null;
  #fileHeadMs = 0;
  #isFinished = false;

  constructor(options: StickEpochOptions) {
    const { disk, epoch, onFinding } = options;
    this.#options = options;
    this.#folder = folderOf(epoch.origin);
    this.#files = new StickFiles(disk, this.#journalFolder, onFinding);
  }

  /** Records that are there. */
  get size(): number {
    return this.#below;
  }

  /** Whether everything is there that the epoch has now, or had when it was pruned. */
  get isWhole(): boolean {
    const { epoch } = this.#options;
    if (this.#below < epoch.size) return false;
    return epoch.isOpen ? this.#journalHead === epoch.signed : this.#isFinished && this.#isFiled(epoch.signed);
  }

  /** Brings there what the epoch has now; durable when this resolves. */
  async save(): Promise<void> {
    if (this.isWhole || this.#options.epoch.isPruned) return;
    if (this.#options.epoch.isOpen) await this.#journalAll();
    // Its keys are gone once it has ended, perhaps just now: from then on there are files only.
    if (!this.#options.epoch.isOpen) await this.#finish();
  }

  /** Makes a full bundle, and the tiles that it fills, files; false when none is left to be. */
  async file(): Promise<boolean> {
    const { tree, signed } = this.#options.epoch;
    const from = this.#bundles * TILE_WIDTH;
    if (!tree || from + TILE_WIDTH > tree.size) return false;
    await this.#publishTiles(tree, from, from + TILE_WIDTH, ({ width }) => width === TILE_WIDTH);
    this.#bundles += 1;
    this.#options.epoch.savedBy('stick', this.#bundles * TILE_WIDTH);
    this.#below = Math.max(this.#below, this.#bundles * TILE_WIDTH);
    await this.#fileHeadOf(tree, signed);
    return true;
  }

  /** Gives up the journal after a failure: the next `save` begins another one. */
  async giveUp(): Promise<void> {
    const journal = this.#journal;
    this.#journal = null;
    this.#journalHead = null;
    this.#below = this.#bundles * TILE_WIDTH;
    this.#isFinished = false;
    await journal?.discard();
  }

  /** Lets go of the files. */
  async close(): Promise<void> {
    await this.#journal?.close();
  }

  get #journalFolder(): string {
    return `${this.#folder}/journal`;
  }

  async #journalAll(): Promise<void> {
    const { epoch } = this.#options;
    while (epoch.isOpen && this.#isBehind(epoch) && (await this.file()));
    const { tree, signed, size } = epoch;
    if (!epoch.isOpen || !tree) return;
    const items: JournalItem[] = recordsOf(tree, this.#below, size);
    if (signed && signed !== this.#journalHead) {
      items.push({ kind: 'head', index: signed.size, payload: signed.checkpoint });
    }
    try {
      this.#journal ??= await this.#newJournal();
      await this.#journal.commit(items, this.#bundles * TILE_WIDTH);
    } catch (thrown) {
      if (epoch.isOpen) throw thrown;
      return; // it ended meanwhile, and its keys with it
    }
    this.#below = size;
    this.#journalHead = signed;
    for (const name of this.#old.splice(0)) await this.#files.remove(`${this.#journalFolder}/${name}`);
    if (!this.#fileHead || this.#options.now() - this.#fileHeadMs >= HEAD_MS) await this.#fileHeadOf(tree, signed);
  }

  async #newJournal(): Promise<StickJournal> {
    const { disk, epoch, hasher, random, sign } = this.#options;
    const folder = this.#journalFolder;
    await this.#files.folder(folder);
    this.#old = await this.#files.names(folder);
    const last = this.#old.toSorted().findLast((name) => /^\d{8}$/.test(name));
    const first = Number(last ?? 0) + 1;
    return new StickJournal({ disk, hasher, random, folder, origin: epoch.origin, first, sign });
  }

  async #finish(): Promise<void> {
    const { epoch } = this.#options;
    const { tree } = epoch;
    if (!tree) return;
    while (await this.file());
    await this.#publishTiles(tree, 0, tree.size, ({ width }) => width < TILE_WIDTH);
    this.#below = tree.size;
    await this.#fileHeadOf(tree, epoch.signed);
    await this.#journal?.close();
    this.#journal = null;
    const segments = await this.#files.names(this.#journalFolder);
    for (const name of segments) await this.#files.remove(`${this.#journalFolder}/${name}`);
    if (segments.length > 0) await this.#options.disk.syncFolder(this.#journalFolder);
    epoch.savedBy('stick', tree.size);
    this.#isFinished = true;
  }

  /** Whether bundles become files before the rest goes to the journal: many do, or their entries left memory. */
  #isBehind({ size, droppedBelow }: KeptEpoch): boolean {
    return size - this.#below > BACKLOG || this.#below < droppedBelow;
  }

  /** Whether a head of that size is a file: the same size again is the same tree. */
  #isFiled(head: PublishedHead | null): boolean {
    return (head?.size ?? 0) <= (this.#fileHead?.size ?? 0);
  }

  async #publishTiles(tree: EpochTree, from: number, below: number, isWanted: (tile: Tile) => boolean): Promise<void> {
    for (const tile of newTiles(from, below)) {
      if (!isWanted(tile)) continue;
      const bytes = tile.level === 'entries' ? tree.bundle(tile, below) : tree.tile(tile, below);
      // Entries that an archive server has may have left memory before they came here.
      if (bytes) await this.#files.publish(`${this.#folder}/${tilePath(tile)}`, bytes);
    }
  }

  /** Makes a head a file once all that it covers is there, with what a reader needs to begin. */
  async #fileHeadOf(tree: EpochTree, head: PublishedHead | null): Promise<void> {
    if (!head || this.#isFiled(head) || head.size > this.#below) return;
    const { epoch, hasher } = this.#options;
    const { size, checkpoint } = head;
    if (!this.#fileHead) {
      const hashes = inclusionProof(hasher, tree.reader(size), 0, size);
      const statement = formatTlogProof({ extra: epoch.statement, index: 0, hashes, checkpoint });
      await this.#files.add(`${this.#folder}/epoch`, statement);
      const keys = epoch.verifierKeys.map((key) => `${key}\n`).join('');
      await this.#files.publish(`${this.#folder}/vkeys.txt`, utf8(keys));
    }
    await this.#files.add(`${this.#folder}/checkpoints/${size}`, checkpoint);
    await this.#files.replace(`${this.#folder}/checkpoint`, checkpoint);
    this.#fileHead = head;
    this.#fileHeadMs = this.#options.now();
  }
}

/** The folder of the epoch of an origin. */
function folderOf(origin: string): string {
  return `epochs/${origin.slice(origin.lastIndexOf('/') + 1)}`;
}

/** The records from `from` to below `below` as items of a journal. */
function recordsOf(tree: EpochTree, from: number, below: number): JournalItem[] {
  const items: JournalItem[] = [];
  while (from + items.length < below) {
    const index = Math.floor((from + items.length) / TILE_WIDTH);
    const width = Math.min(TILE_WIDTH, below - index * TILE_WIDTH);
    const entries = parseBundle(tree.bundle({ level: 'entries', index, width }, below)!, width);
    const skipped = from + items.length - index * TILE_WIDTH;
    for (const payload of entries.slice(skipped)) items.push({ kind: 'record', index: from + items.length, payload });
  }
  return items;
}
