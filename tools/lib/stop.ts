/** Graceful stop: the first SIGTERM or SIGINT asks, a later one insists. */

/**
 * A signal this soon after the first is the same request again: a service manager signals a whole group, and the entry
 * script hands its copy on.
 */
const ECHO_MS = 1000;

export interface Stop {
  /** Aborts at the first signal or `ask`: take nothing new, finish what is under way. */
  readonly asked: AbortSignal;
  /** Aborts at a later signal, or when `force` is called. */
  readonly forced: AbortSignal;
  /** Asks to stop, as the first signal does. */
  ask(): void;
  /** Ends at once, as a later signal does. */
  force(): void;
  /** Stops listening to signals. */
  dispose(): void;
}

/** Listens to SIGTERM and SIGINT until `dispose`. */
export function listenForStop(): Stop {
  const asked = new AbortController();
  const forced = new AbortController();
  let askedMs = Number.POSITIVE_INFINITY;
  const onSignal = (): void => {
    if (performance.now() - askedMs > ECHO_MS) forced.abort();
    askedMs = Math.min(askedMs, performance.now());
    asked.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    asked: asked.signal,
    forced: forced.signal,
    ask: () => asked.abort(),
    force: () => forced.abort(),
    dispose: () => {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    },
  };
}
