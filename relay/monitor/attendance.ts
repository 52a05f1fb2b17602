/**
 * Which devices keep their slots: a device of the uniform exchange is heard in every one, so silence is information.
 * What is seen becomes a record of the audit log, one for each silence and one for its end.
 */
import { STALE_SLOTS } from '../../protocol/slot-plan.ts';
import type { Draft } from '../log/sequencer.ts';

/** A gap between two exchanges that is longer than so many intervals has a missed slot in it. */
const GAP = 1.5;

export interface AttendanceOptions {
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly intervalMs: () => number;
  /** Takes the record that a device fell silent, or that it is heard again after so many missed slots. */
  readonly record: (draft: Extract<Draft, { act: 'device.stale' | 'slot.missed' }>) => void;
}

interface Presence {
  heardMs: number;
  isStale: boolean;
}

export class Attendance {
  readonly #options: AttendanceOptions;
  /** By DID, of devices that were heard in this run of the relay. */
  readonly #present = new Map<string, Presence>();

  constructor(options: AttendanceOptions) {
    this.#options = options;
  }

  /** A device began an exchange. */
  heard(did: string): void {
    const { now, intervalMs, record } = this.#options;
    const before = this.#present.get(did);
    const heardMs = now();
    this.#present.set(did, { heardMs, isStale: false });
    const slots = before ? (heardMs - before.heardMs) / intervalMs() : 0;
    if (slots <= GAP) return;
    record({
      act: 'slot.missed',
      obj: { count: Math.round(slots) - 1 },
      res: 'failure',
      src: { id: did, k: 'device' },
    });
  }

  /** Finds who has fallen silent; to be called often. */
  look(): void {
    const { now, intervalMs, record } = this.#options;
    for (const [did, presence] of this.#present) {
      const silentMs = now() - presence.heardMs;
      if (presence.isStale || silentMs <= (STALE_SLOTS + 1) * intervalMs()) continue;
      presence.isStale = true;
      const obj = { silentMs: Math.round(silentMs) };
      record({ act: 'device.stale', obj, res: 'failure', src: { id: did, k: 'device' } });
    }
  }

  /** Forgets the devices that no longer belong to the site. */
  enforce(belongs: (did: string) => boolean): void {
    for (const did of [...this.#present.keys()]) if (!belongs(did)) this.#present.delete(did);
  }
}
