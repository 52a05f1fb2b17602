/**
 * The course of one slot, the same for every device of a sector and for the relay. All are parts of the interval:
 *
 *     0 opens    block bytes up, in pieces on a grid          0.6   0.1 later: the relay answers
 *     0 opens    control frame up   0.1 later: block and control frame down, in pieces on a grid       0.7
 *                                                             0.8   what the next slot sends is built     1
 *
 * Nothing here depends on what is sent: that is what makes the exchange uniform.
 */

/** How many bytes go out at once. */
export const PIECE_BYTES = 65_536;

const WINDOW = 0.6;
const ANSWER = 0.1;
const BUILD = 0.2;
const LATE = 0.25;

/** A sender of which nothing came for so many slots is stale. */
export const STALE_SLOTS = 3;

/** A device registers anew, and learns what is new, before the slots whose number this divides. */
export const MEMBERSHIP_SLOTS = 10;

/** Most exchanges in one slot of one device. */
export const MAX_LANES = 64;

/** How long the bytes of a block take, in ms. */
export function windowMs(intervalMs: number): number {
  return intervalMs * WINDOW;
}

/** How long after the last byte of a request the relay answers, in ms. */
export function answerMs(intervalMs: number): number {
  return intervalMs * ANSWER;
}

/** How long before a slot its block is built, in ms. */
export function buildMs(intervalMs: number): number {
  return intervalMs * BUILD;
}

/** How late an exchange may begin and still end within its slot, in ms; a slot that is later is missed. */
export function lateMs(intervalMs: number): number {
  return intervalMs * LATE;
}
