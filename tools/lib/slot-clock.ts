/**
 * The fixed clock of a device: slot k opens at phase + k * interval by the monotonic clock of its host, whatever
 * happens. A restart of the process goes on with the same grid.
 */
import { buildMs, lateMs } from '../../protocol/slot-plan.ts';

/** Monotonic milliseconds and a sleep that an abort ends early; tests bring their own. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const monotonicClock: Clock = {
  now: () => {
    const [seconds, nanoseconds] = process.hrtime();
    return seconds * 1000 + nanoseconds / 1e6;
  },
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, Math.ceil(ms))); // never early: a timer drops fractions
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    }),
};

/** When slots open: at `phaseMs` and each `intervalMs` after it. */
export interface Grid {
  readonly intervalMs: number;
  readonly phaseMs: number;
}

export interface Slot {
  readonly number: number;
  /** By the clock. */
  readonly opensMs: number;
  /** Slots that went by unused since the last one. */
  readonly missed: number;
}

/**
 * Yields each slot as it opens, until `signal` aborts; `prepare` runs before it, at a fixed time. A slot whose time
 * went by, because the caller was busy or the process stood still, is missed and never made up for: the grid stays and no
 * burst follows.
 */
export async function* slots(
  { intervalMs, phaseMs }: Grid,
  clock: Clock,
  signal: AbortSignal,
  prepare: (number: number) => void,
): AsyncGenerator<Slot> {
  const opens = (number: number): number => phaseMs + number * intervalMs;
  const nextAfter = (last: number): number => Math.max(last + 1, Math.ceil((clock.now() - phaseMs) / intervalMs));
  let last = nextAfter(Number.NEGATIVE_INFINITY) - 1;
  while (!signal.aborted) {
    const number = nextAfter(last);
    const opensMs = opens(number);
    await clock.sleep(opensMs - buildMs(intervalMs) - clock.now(), signal);
    if (signal.aborted) return;
    prepare(number);
    await clock.sleep(opensMs - clock.now(), signal);
    if (signal.aborted) return;
    if (clock.now() - opensMs > lateMs(intervalMs)) continue;
    yield { number, opensMs, missed: number - last - 1 };
    last = number;
  }
}
