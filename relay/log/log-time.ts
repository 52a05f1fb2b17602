/**
 * The time of one epoch: the wall clock at its opening and the monotonic clock since, so that it only advances. The
 * wall clock is looked at now and then: steps of it are recorded, and a great one ends the epoch.
 */

/** The wall clock is slewed by less than this between two looks; anything more is a step. */
const STEP_MS = 500;
/** An epoch whose time is further from the wall clock than this ends. */
const MAX_AHEAD_MS = 10_000;
const MAX_BEHIND_MS = 3_600_000;

/** What a look at the wall clock found. */
export interface ClockLook {
  /** How far it was set since the last look; null when it was not. */
  readonly stepMs: number | null;
  /** Whether the epoch's time is too far from it. */
  readonly isFar: boolean;
}

export class LogTime {
  readonly #now: () => number;
  readonly #wall: () => number;
  readonly #openedMs: number;
  readonly #openedWallMs: number;
  /** Wall time less time of the epoch at the last look. */
  #offsetMs = 0;

  /** Begins now. `now` gives monotonic, `wall` POSIX milliseconds. */
  constructor(now: () => number, wall: () => number) {
    this.#now = now;
    this.#wall = wall;
    this.#openedMs = now();
    this.#openedWallMs = wall();
  }

  /** Milliseconds since the epoch began, monotonic. */
  get ageMs(): number {
    return this.#now() - this.#openedMs;
  }

  /** The epoch's time in whole POSIX milliseconds. */
  get ms(): number {
    return Math.floor(this.#openedWallMs + this.ageMs);
  }

  /** Compares with the wall clock. */
  look(): ClockLook {
    const offset = this.#wall() - this.#openedWallMs - this.ageMs;
    const step = Math.round(offset - this.#offsetMs);
    this.#offsetMs = offset;
    return {
      stepMs: Math.abs(step) >= STEP_MS ? step : null,
      isFar: offset < -MAX_AHEAD_MS || offset > MAX_BEHIND_MS,
    };
  }
}
