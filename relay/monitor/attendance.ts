/**
 * Which devices keep their slots: a device of the uniform exchange is heard in every one. What it missed becomes a
 * record of the audit log when it is heard again.
 */
import type { Draft } from '../log/draft.ts';

/** A gap between two exchanges that is longer than so many intervals has a missed slot in it. */
const GAP = 1.5;

export interface AttendanceOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly intervalMs: () => number;
  /** Takes the record that a device is heard again after so many missed slots. */
  readonly record: (draft: Extract<Draft, { act: 'slot.missed' }>) => void;
}

export class Attendance {
  readonly #options: AttendanceOptions;
  /** By DID, when each device was last heard in this run of the relay. */
  readonly #heardMs = new Map<string, number>();

  constructor(options: AttendanceOptions) {
    this.#options = options;
  }

  /** A device began an exchange. */
  heard(did: string): void {
    const { now, intervalMs, record } = this.#options;
    const nowMs = now();
    const slots = (nowMs - (this.#heardMs.get(did) ?? nowMs)) / intervalMs();
    this.#heardMs.set(did, nowMs);
    if (slots <= GAP) return;
    record({
      act: 'slot.missed',
      obj: { count: Math.round(slots) - 1 },
      res: 'failure',
      src: { id: did, k: 'device' },
    });
  }

  /** Forgets the devices that no longer belong to the site. */
  enforce(belongs: (did: string) => boolean): void {
    for (const did of [...this.#heardMs.keys()]) if (!belongs(did)) this.#heardMs.delete(did);
  }
}
