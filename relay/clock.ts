/**
 * The relay's clock: CLOCK_MONOTONIC, in milliseconds. Its readings compare over all processes of one boot, which
 * `performance.now()` does not give: a deadline outlives the process that set it.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
