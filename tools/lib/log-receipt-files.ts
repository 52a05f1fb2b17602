/**
 * The folder of --log-receipts: what `ghostpipe-audit verify --receipts` reads. Bounded: the newest push out the oldest.
 *
 *     FOLDER/NUMBER-TRANSFER.log-receipt      evidence of one transfer (docs/formats.md, log evidence)
 *     FOLDER/NUMBER-ORIGIN.log-epoch          the epoch statement whose keys sign such receipts, by SHA-256 of its origin
 *     FOLDER/NUMBER-TRANSFER.log-proof        a proof by the relay that contradicts the receipt of that transfer
 */
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '../../protocol/text.ts';
import { removeTemporaries, writeStateFile } from './files.ts';

/** Most files of each kind. */
const LIMITS = { 'log-receipt': 16_384, 'log-epoch': 512, 'log-proof': 512 } as const;
type Kind = keyof typeof LIMITS;

const NAME = /^(\d{12})-[0-9a-f]+\.(log-receipt|log-epoch|log-proof)$/;
const NUMBER_DIGITS = 12;

export class LogReceiptFiles {
  readonly #folder: string;
  /** Names of the files that are there, oldest first. */
  readonly #names: Record<Kind, string[]> = { 'log-receipt': [], 'log-epoch': [], 'log-proof': [] };
  #number = 0;

  /** Opens the folder, makes it when it is missing (mode 700). Throws what the system throws. */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    removeTemporaries(folder);
    for (const name of readdirSync(folder).sort()) {
      const [, number, kind] = NAME.exec(name) ?? [];
      if (number === undefined) continue;
      this.#names[kind as Kind].push(name);
      this.#number = Number(number);
    }
  }

  /** Writes a file, durably; `id` is the transfer, or the SHA-256 of the origin. Refuses `state-failed`. */
  keep(kind: Kind, id: Uint8Array, bytes: Uint8Array): void {
    const name = `${String(this.#number + 1).padStart(NUMBER_DIGITS, '0')}-${toHex(id)}.${kind}`;
    writeStateFile(join(this.#folder, name), bytes);
    this.#number += 1;
    const names = this.#names[kind];
    names.push(name);
    for (const old of names.splice(0, names.length - LIMITS[kind])) rmSync(join(this.#folder, old), { force: true });
  }
}
