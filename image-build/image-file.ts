/** An image as a file: read piece by piece, within its size. */
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Problem } from '../protocol/problem.ts';

const PIECE = 4 << 20;

export class ImageFile {
  readonly path: string;
  readonly bytes: number;
  readonly #descriptor: number;

  /** Opens the file for reading; refuses `file-invalid` for what is no regular file or cannot be read. */
  constructor(path: string) {
    this.path = path;
    try {
      this.#descriptor = openSync(path, 'r');
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      throw new Problem(
        'file-invalid',
        code === 'ENOENT' ? `${path} does not exist` : `${path} cannot be read (${code})`,
      );
    }
    const stat = fstatSync(this.#descriptor);
    if (!stat.isFile()) {
      closeSync(this.#descriptor);
      throw new Problem('file-invalid', `${path} is not a regular file: copy the card to a file first`);
    }
    this.bytes = stat.size;
  }

  /** `length` bytes from `offset`; refuses `image-invalid` when the file ends before. */
  read(offset: number, length: number): Buffer {
    const buffer = Buffer.alloc(length);
    let at = 0;
    while (at < length) {
      const got = readSync(this.#descriptor, buffer, at, length - at, offset + at);
      if (got === 0) break;
      at += got;
    }
    if (at === length) return buffer;
    throw new Problem(
      'image-invalid',
      `${this.path} ends at byte ${this.bytes}, what was looked for at ${offset + length}`,
    );
  }

  /** Gives the bytes from `offset` on in pieces of at most 4 MiB. */
  *pieces(offset: number, length: number): Generator<Buffer> {
    for (let at = 0; at < length; at += PIECE) yield this.read(offset + at, Math.min(PIECE, length - at));
  }

  /** SHA-256 in hex of a part; of the whole file when nothing is named. */
  sha256(offset = 0, length: number = this.bytes): string {
    const hash = createHash('sha256');
    for (const piece of this.pieces(offset, length)) hash.update(piece);
    return hash.digest('hex');
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
