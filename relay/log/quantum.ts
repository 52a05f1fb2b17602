/**
 * How far a head goes. With a quantum each head has exactly so many leaves more than the one before, whatever happened:
 * fill records make up for what is missing, and records beyond it wait in the tree, in their order, for the next head.
 * So the size of the tree, which anybody may read, tells nothing about traffic. A quantum of 1 is none: a head covers
 * all that there is.
 */

/** The part of a quantum that is kept for records that nobody can put off, as that a block was read. */
const RESERVED = 0.25;

/** Leaves of the next head of a tree of `size`, of which `covered` are in the head before; 0 when there was none. */
export function nextHeadSize(covered: number, size: number, quantum: number): number {
  if (quantum === 1) return size;
  return covered === 0 ? 1 : covered + quantum;
}

/** Whether a record that comes next is in one of the next two heads, so within a minute. */
export function hasRoom(covered: number, size: number, quantum: number): boolean {
  return quantum === 1 || size < covered + 2 * quantum - Math.floor(quantum * RESERVED);
}
