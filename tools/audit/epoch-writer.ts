/** Writes the folder of one epoch: bundles as they come, and from them every hash tile. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { formatAddCheckpoint } from '../../protocol/add-checkpoint.ts';
import type { LogKeys } from '../../protocol/checkpoint.ts';
import { type Engine, SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from '../../protocol/engine/engine.ts';
import { consistencyProof, inclusionProof, leafHash } from '../../protocol/merkle.ts';
import { formatVerifierKey } from '../../protocol/note-key.ts';
import { encodeBundle, TILE_WIDTH, tilePath } from '../../protocol/tile.ts';
import { formatTlogProof } from '../../protocol/tlog-proof.ts';
import { EpochFolder } from './epoch-folder.ts';
import { folderReader } from './epoch-tiles.ts';
import { type Beginning, GrowingTiles } from './growing-tiles.ts';
import { type EpochFile, epochPath } from './layout.ts';
import type { Sealer } from './unseal.ts';

/** A head to be written. */
export interface WrittenHead {
  readonly size: number;
  readonly checkpoint: Uint8Array;
}

/** A bundle that was sealed in an earlier run, and its tile of level 0. */
export interface SealedBundle {
  readonly hashes: readonly Uint8Array[];
  readonly sealed: Uint8Array;
}

export interface EpochWriterOptions {
  /** With one no record is written in clear. */
  readonly sealer?: Sealer | null;
  /** What another folder has of the epoch, full bundles only: it is not written again. */
  readonly after?: Beginning;
}

export class EpochWriter {
  readonly #engine: Engine;
  readonly #path: string;
  readonly #sealer: Sealer | null;
  readonly #tiles: GrowingTiles;
  readonly #made = new Set<string>();

  /** Makes the folder when it is missing. Files that are there are written over. */
  constructor(engine: Engine, path: string, { sealer = null, after }: EpochWriterOptions = {}) {
    this.#engine = engine;
    this.#path = path;
    this.#sealer = sealer;
    mkdirSync(path, { recursive: true });
    this.#tiles = new GrowingTiles(
      engine,
      (level, index, hashes) =>
        this.write({ kind: 'tile', tile: { level, index, width: hashes.length } }, Buffer.concat(hashes)),
      after,
    );
  }

  /** Leaves so far. */
  get size(): number {
    return this.#tiles.size;
  }

  root(): Uint8Array {
    return this.#tiles.root();
  }

  /** Adds the entries of the next bundle; only the last one has fewer than 256. `onLeaf` is called after each leaf. */
  append(entries: readonly Uint8Array[], onLeaf: () => void): void {
    const tile = { level: 'entries', index: this.size / TILE_WIDTH, width: entries.length } as const;
    const bundle = encodeBundle(entries);
    if (this.#sealer) this.write({ kind: 'sealed', tile }, this.#sealer.seal(tilePath(tile), bundle));
    else this.write({ kind: 'tile', tile }, bundle);
    for (const entry of entries) this.#grow(leafHash(this.#engine, entry), onLeaf);
  }

  /** Adds a full bundle that was sealed before, by the hashes of its entries. */
  appendSealed({ hashes, sealed }: SealedBundle, onLeaf: () => void): void {
    const tile = { level: 'entries', index: this.size / TILE_WIDTH, width: hashes.length } as const;
    this.write({ kind: 'sealed', tile }, sealed);
    for (const hash of hashes) this.#grow(hash, onLeaf);
  }

  /** Writes the tiles that did not become full. */
  end(): void {
    this.#tiles.end();
  }

  /** Writes heads, oldest first, and the verifier keys. */
  writeHeads(origin: string, keys: LogKeys, heads: readonly WrittenHead[]): void {
    for (const { size, checkpoint } of heads) this.write({ kind: 'head', size }, checkpoint);
    this.write({ kind: 'checkpoint' }, heads.at(-1)!.checkpoint);
    const algorithms = Object.keys(SIGNATURE_ALGORITHMS).toReversed() as SignatureAlgorithm[];
    const lines = algorithms.map((algorithm) =>
      formatVerifierKey(this.#engine, { name: origin, algorithm, publicKey: keys[algorithm] }),
    );
    this.write({ kind: 'verifier-keys' }, Buffer.from(`${lines.join('\n')}\n`));
  }

  /** Writes proofs from each head to the next one, and of the newest record, from the tiles that are written. */
  writeProofs(heads: readonly WrittenHead[], newest: Uint8Array): void {
    const { size, checkpoint } = heads.at(-1)!;
    const read = folderReader(this.#engine, new EpochFolder(this.#path), size);
    for (const [i, { size: oldSize }] of heads.slice(0, -1).entries()) {
      const next = heads[i + 1]!;
      const hashes = consistencyProof(this.#engine, read, oldSize, next.size);
      const body = formatAddCheckpoint({ oldSize, hashes, checkpoint: next.checkpoint });
      this.write({ kind: 'growth', from: oldSize, to: next.size }, body);
    }
    const index = size - 1;
    const hashes = inclusionProof(this.#engine, read, index, size);
    const extra = this.#sealer ? {} : { extra: newest };
    this.write({ kind: 'proof', index }, formatTlogProof({ ...extra, index, hashes, checkpoint }));
  }

  #grow(leaf: Uint8Array, onLeaf: () => void): void {
    this.#tiles.append(leaf);
    onLeaf();
  }

  write(file: EpochFile, bytes: Uint8Array): void {
    const path = join(this.#path, epochPath(file));
    const folder = dirname(path);
    if (!this.#made.has(folder)) mkdirSync(folder, { recursive: true });
    this.#made.add(folder);
    writeFileSync(path, bytes);
  }
}
