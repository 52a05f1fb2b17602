/**
 * The way from a transfer to its newest leaf, for a million of them: an open table of 20 bytes a place in two arrays,
 * where a map of texts would take 112. Transfer ids are random, so a part of one is its place.
 */

const FIRST_PLACES = 1024;
/** Words of an id: 32 hex digits. */
const WORDS = 4;
/** The table doubles when more than this part of it is taken. */
const MOST_TAKEN = 0.75;

export class TransferIndex {
  #ids = new Uint32Array(FIRST_PLACES * WORDS);
  /** Leaf index and one; 0 where the place is free. */
  #leaves = new Uint32Array(FIRST_PLACES);
  #count = 0;

  /** Bytes of memory that it takes. */
  get bytes(): number {
    return this.#ids.byteLength + this.#leaves.byteLength;
  }

  /** Notes the newest leaf, below 2^32 - 1, about a transfer: its id is 32 hex digits. */
  set(transferId: string, leaf: number): void {
    if (this.#count >= this.#leaves.length * MOST_TAKEN) this.#double();
    const id = wordsOf(transferId);
    const place = this.#placeOf(id);
    if (this.#leaves[place] === 0) this.#count += 1;
    this.#put(place, id, leaf + 1);
  }

  /** The newest leaf about a transfer; undefined when there is none. */
  get(transferId: string): number | undefined {
    const leaf = this.#leaves[this.#placeOf(wordsOf(transferId))]!;
    return leaf === 0 ? undefined : leaf - 1;
  }

  /** Where an id is, or would be. */
  #placeOf(id: ArrayLike<number>): number {
    const last = this.#leaves.length - 1;
    let place = id[0]! & last;
    while (this.#leaves[place] !== 0 && !this.#isAt(place, id)) place = (place + 1) & last;
    return place;
  }

  #isAt(place: number, id: ArrayLike<number>): boolean {
    for (let i = 0; i < WORDS; i++) if (this.#ids[place * WORDS + i] !== id[i]) return false;
    return true;
  }

  #put(place: number, id: ArrayLike<number>, leaf: number): void {
    this.#ids.set(id, place * WORDS);
    this.#leaves[place] = leaf;
  }

  #double(): void {
    const [ids, leaves] = [this.#ids, this.#leaves];
    this.#ids = new Uint32Array(ids.length * 2);
    this.#leaves = new Uint32Array(leaves.length * 2);
    for (const [place, leaf] of leaves.entries()) {
      if (leaf === 0) continue;
      const id = ids.subarray(place * WORDS, (place + 1) * WORDS);
      this.#put(this.#placeOf(id), id, leaf);
    }
  }
}

function wordsOf(transferId: string): Uint32Array {
  const words = new Uint32Array(WORDS);
  for (let i = 0; i < WORDS; i++) words[i] = Number.parseInt(transferId.slice(i * 8, (i + 1) * 8), 16);
  return words;
}
