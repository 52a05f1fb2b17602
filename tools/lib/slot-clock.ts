/** The fixed clock of a lane: slot k opens at start + k * interval, by the monotonic clock, whatever happens. */

/** Monotonic milliseconds and a sleep that an abort ends early; tests bring their own. */
export interface Clock {
  now(): number;
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export const monotonicClock: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, Math.max(0, ms));
      signal.addEventListener('abort', done);
      if (signal.aborted) done();
    }),
};

/**
 * Yields the number of each slot as it opens, until `signal` aborts. A slot whose time went by while the caller was
 * busy is skipped, never made up for: the grid stays and no burst follows.
 */
export async function* slots(intervalMs: number, clock: Clock, signal: AbortSignal): AsyncGenerator<number> {
  const start = clock.now();
  for (let slot = 0; !signal.aborted; ) {
    await clock.sleep(start + slot * intervalMs - clock.now(), signal);
    if (signal.aborted) return;
    yield slot;
    slot = Math.max(slot + 1, Math.ceil((clock.now() - start) / intervalMs));
  }
}
