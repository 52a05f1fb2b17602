/**
 * The watchdog of the hardware: resets the machine when nobody writes to it any more. It is opened once and never closed in
 * order, so that the end of the program that feeds it, however it comes, is a reset if nobody takes over in time.
 */
import { openSync, writeSync } from 'node:fs';

export class Watchdog {
  readonly #file: number | null;

  /** A machine without one has null for its file. */
  constructor(path: string) {
    this.#file = openOrNull(path);
  }

  get isThere(): boolean {
    return this.#file !== null;
  }

  /** Puts the reset off; any byte but "V" does. */
  feed(): void {
    if (this.#file !== null) writeSync(this.#file, '.');
  }
}

function openOrNull(path: string): number | null {
  try {
    return openSync(path, 'r+');
  } catch {
    return null; // said once by who made it: a machine without a watchdog works
  }
}
