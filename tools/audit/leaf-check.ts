/**
 * Checks every leaf of an epoch from the data: each record parsed and hashed, each tile compared, and the root at every
 * size that anybody signed or named. Reads the folder once from front to back, a bundle at a time.
 */
import { concat, equalBytes } from '../../protocol/bytes.ts';
import type { Engine } from '../../protocol/engine/engine.ts';
import { GrowingTree } from '../../protocol/growing-tree.ts';
import { type LogEvent, parseLogRecord } from '../../protocol/log-record.ts';
import { rootOf } from '../../protocol/merkle.ts';
import { Problem, type ProblemCode } from '../../protocol/problem.ts';
import { toBase64 } from '../../protocol/text.ts';
import { TILE_WIDTH, type Tile, tileHashes, tileOfEntries, tileReader } from '../../protocol/tile.ts';
import { heldIn, readEntries, readHashes } from './epoch-tiles.ts';
import type { Findings } from './findings.ts';
import { GrowingTiles } from './growing-tiles.ts';
import { pathIn, type SignedEpoch } from './signed-epoch.ts';
import { compareTile } from './tile-check.ts';

/** The root that the tree must have at a size, and what says so. */
export interface Expectation {
  readonly size: number;
  readonly root: Uint8Array;
  readonly file: string;
  /** The failure when it has another one. */
  readonly code: ProblemCode;
}

/** Leaves `from` to `below` - 1 whose records are not in the export. */
export interface Unarchived {
  readonly from: number;
  readonly below: number;
}

export interface CheckedLeaves {
  /** Leaves whose place in the tree was checked, from 0 on. */
  readonly leaves: number;
  /** Log records among them that are there and hold. */
  readonly records: number;
  /** Log records that are there and sealed to a key that is not here; their hashes were checked. */
  readonly sealed: number;
  readonly unarchived: readonly Unarchived[];
  /** Expectations that do not hold, or that the tree ends before. */
  readonly unproved: readonly Expectation[];
}

export interface LeafCheckOptions {
  readonly engine: Engine;
  readonly findings: Findings;
  /** Called with each record that holds, in order; its bytes are a view into the bundle. */
  readonly onRecord?: (event: LogEvent, bytes: Uint8Array) => void;
  /** Called after each bundle with the leaves so far. */
  readonly onLeaves?: (leaves: number) => void;
}

/** Checks the first `size` leaves of an epoch. */
export function checkLeaves(
  epoch: SignedEpoch,
  size: number,
  expectations: readonly Expectation[],
  options: LeafCheckOptions,
): CheckedLeaves {
  return new LeafCheck(epoch, size, expectations, options).run();
}

class LeafCheck {
  readonly #epoch: SignedEpoch;
  readonly #size: number;
  readonly #options: LeafCheckOptions;
  readonly #tree: GrowingTiles;
  /** Ascending by size; those in front were looked at. */
  readonly #expected: Expectation[];
  readonly #wrong: Expectation[] = [];
  readonly #unarchived: { from: number; below: number }[] = [];
  /** The bundle that is being looked at. */
  #file = '';
  #failed: { readonly index: number; readonly problem: Problem; more: number } | null = null;
  #records = 0;
  #sealed = 0;
  #before = { t: 0, up: 0 };

  constructor(epoch: SignedEpoch, size: number, expectations: readonly Expectation[], options: LeafCheckOptions) {
    this.#epoch = epoch;
    this.#size = size;
    this.#options = options;
    this.#tree = new GrowingTiles(options.engine, (level, index, hashes) =>
      compareTile(epoch, level, index, hashes, options.findings),
    );
    this.#expected = expectations.toSorted((a, b) => a.size - b.size);
  }

  run(): CheckedLeaves {
    this.#compareRoots();
    for (let index = 0; index * TILE_WIDTH < this.#size; index++) {
      if (!this.#bundle(index)) {
        this.#miss(index * TILE_WIDTH, this.#size);
        break;
      }
      this.#options.onLeaves?.(this.#tree.size);
    }
    this.#tree.end();
    const leaves = this.#tree.size;
    return {
      leaves,
      records: this.#records,
      sealed: this.#sealed,
      unarchived: this.#unarchived,
      unproved: [...this.#wrong, ...this.#expected],
    };
  }

  /** Checks one bundle and its tile; false when neither is there, so that the tree ends. */
  #bundle(index: number): boolean {
    const { folder } = this.#epoch;
    const width = Math.min(TILE_WIDTH, this.#size - index * TILE_WIDTH);
    const bundle: Tile = { level: 'entries', index, width };
    const tile: Tile = { level: 0, index, width };
    const bundleRead = this.#readIfHeld(bundle, () => unlessSealed(() => readEntries(folder, bundle)));
    const entries = bundleRead === 'sealed' ? undefined : bundleRead;
    const hashes = this.#readIfHeld(tile, () => readHashes(folder, tile));
    const first = index * TILE_WIDTH;
    this.#file = pathIn(this.#epoch.place, { kind: 'tile', tile: heldIn(folder, bundle) ?? bundle });
    const own = entries && tileHashes(tileOfEntries(this.#options.engine, entries), width);
    const leaves = own && hashes ? this.#choose(index, own, hashes) : (own ?? hashes);
    if (!leaves) return false;
    if (bundleRead === 'sealed') this.#sealed += width;
    else if (!entries) this.#miss(first, first + width);
    for (const [i, leaf] of leaves.entries()) {
      if (own && equalBytes(own[i]!, leaf)) this.#record(first + i, entries[i]!);
      else if (own)
        this.#fail(first + i, invalid(`its leaf hash is ${toBase64(own[i]!)}, the tree has ${toBase64(leaf)}`));
      this.#tree.append(leaf);
      this.#compareRoots();
    }
    this.#tellFailed();
    if (entries) this.#compareOtherWidths(bundle, entries);
    return true;
  }

  #readIfHeld<T>(tile: Tile, read: () => T): T | undefined {
    const { folder, place } = this.#epoch;
    const held = heldIn(folder, tile);
    return held && this.#options.findings.attempt(pathIn(place, { kind: 'tile', tile: held }), read);
  }

  /**
   * Where records and tile differ, the one that leads to the hash above it, or at the end of the tree to the newest
   * root, is the true one: the other was changed. When neither does, the records count.
   */
  #choose(index: number, own: readonly Uint8Array[], hashes: readonly Uint8Array[]): readonly Uint8Array[] {
    if (own.every((hash, i) => equalBytes(hash, hashes[i]!))) return own;
    return [own, hashes].find((leaves) => this.#leadsUp(index, leaves)) ?? own;
  }

  #leadsUp(index: number, leaves: readonly Uint8Array[]): boolean {
    const { engine } = this.#options;
    const { folder, heads } = this.#epoch;
    const at = (tile: Tile): Uint8Array => {
      if (tile.level === 0 && tile.index === index) return concat(...leaves.slice(0, tile.width));
      return concat(...readHashes(folder, tile));
    };
    try {
      if (leaves.length === TILE_WIDTH) {
        const above = { level: 1, index: Math.floor(index / TILE_WIDTH), width: (index % TILE_WIDTH) + 1 };
        return equalBytes(rootOfLeaves(engine, leaves), readHashes(folder, above).at(-1)!);
      }
      const newest = heads.at(-1)!;
      return equalBytes(rootOf(engine, tileReader(engine, newest.size, at), newest.size), newest.root);
    } catch (thrown) {
      if (thrown instanceof Problem) return false;
      throw thrown;
    }
  }

  #record(index: number, bytes: Uint8Array): void {
    const { statement, place } = this.#epoch;
    const { t, up } = this.#before;
    try {
      const event = parseLogRecord(bytes);
      this.#before = event;
      if (event.i !== index) throw invalid(`the log record says that it is leaf ${event.i}`);
      if (event.t < t || event.up < up) throw invalid(`time ${event.t} and up ${event.up} come after ${t} and ${up}`);
      if (index === 0 && !equalBytes(bytes, statement)) {
        throw new Problem('log-epoch-invalid', `leaf 0 is not what ${pathIn(place, { kind: 'statement' })} proves`);
      }
      this.#records += 1;
      this.#options.onRecord?.(event, bytes);
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      this.#fail(index, thrown);
    }
  }

  /** Keeps the first failure of a bundle and counts the others: a bundle in the wrong place has 256. */
  #fail(index: number, problem: Problem): void {
    if (this.#failed) this.#failed.more += 1;
    else this.#failed = { index, problem, more: 0 };
  }

  #tellFailed(): void {
    if (!this.#failed) return;
    const { index, problem, more } = this.#failed;
    const others = more > 0 ? `; ${more} more log records of this bundle do not hold` : '';
    this.#options.findings.add(problem.code, this.#file, problem.detail + others, index);
    this.#failed = null;
  }

  /** Bundles of the same place in other widths have to begin alike. */
  #compareOtherWidths({ index, level }: Tile, entries: readonly Uint8Array[]): void {
    const { folder, place } = this.#epoch;
    const { findings } = this.#options;
    for (const width of folder.widths(level, index)) {
      const tile = { level, index, width };
      const file = pathIn(place, { kind: 'tile', tile });
      if (file === this.#file) continue;
      const others = this.#readIfHeld(tile, () => readEntries(folder, tile)) ?? [];
      const wrong = others.findIndex((entry, i) => i < entries.length && !equalBytes(entry, entries[i]!));
      if (wrong < 0) continue;
      findings.add('log-record-invalid', file, `another log record than in ${this.#file}`, index * TILE_WIDTH + wrong);
    }
  }

  #compareRoots(): void {
    for (let next = this.#expected[0]; next?.size === this.#tree.size; next = this.#expected[0]) {
      const root = this.#tree.root();
      const detail = `the root of ${next.size} leaves is ${toBase64(next.root)} here, the records give ${toBase64(root)}`;
      this.#expected.shift();
      if (equalBytes(root, next.root)) continue;
      this.#options.findings.add(next.code, next.file, detail);
      this.#wrong.push(next);
    }
  }

  #miss(from: number, below: number): void {
    const last = this.#unarchived.at(-1);
    if (last?.below === from) last.below = below;
    else this.#unarchived.push({ from, below });
  }
}

/** What `read` gives; the word `sealed` for what takes a key that is not here. */
function unlessSealed<T>(read: () => T): T | 'sealed' {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof Problem) || thrown.code !== 'log-sealed') throw thrown;
    return 'sealed';
  }
}

function rootOfLeaves(engine: Engine, leaves: readonly Uint8Array[]): Uint8Array {
  const tree = new GrowingTree(engine);
  for (const leaf of leaves) tree.append(leaf);
  return tree.root();
}

function invalid(detail: string): Problem {
  return new Problem('log-record-invalid', detail);
}
