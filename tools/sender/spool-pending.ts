/** Entries that were put into a spool and are not written yet: in memory only, and few. */
import { type SpoolEntry, sealedBytes } from './spool-entry.ts';

export class PendingEntries {
  #entries: SpoolEntry[] = [];
  #bytes = 0;

  get count(): number {
    return this.#entries.length;
  }

  /** Bytes that they will take. */
  get bytes(): number {
    return this.#bytes;
  }

  add(entry: SpoolEntry): void {
    this.#entries.push(entry);
    this.#bytes += sealedBytes(entry);
  }

  /** The first of them, up to about `bytes`. */
  part(bytes: number): readonly SpoolEntry[] {
    let [count, sum] = [0, 0];
    while (count < this.#entries.length && sum < bytes) sum += sealedBytes(this.#entries[count++]!);
    return this.#entries.slice(0, count);
  }

  /** These are written, or taken back. */
  remove(entries: readonly SpoolEntry[]): void {
    const gone = new Set(entries);
    this.#entries = this.#entries.filter((entry) => !gone.has(entry));
    for (const entry of entries) this.#bytes -= sealedBytes(entry);
  }
}
