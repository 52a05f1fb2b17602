/** Graceful stop: the first SIGTERM or SIGINT asks, the second one insists. */

export interface Stop {
  /** Aborts at the first signal or `ask`: take nothing new, finish what is under way. */
  readonly asked: AbortSignal;
  /** Aborts at the second signal, or when `force` is called. */
  readonly forced: AbortSignal;
  /** Asks to stop, as the first signal does. */
  ask(): void;
  /** Ends at once, as the second signal does. */
  force(): void;
  /** Stops listening to signals. */
  dispose(): void;
}

/** Listens to SIGTERM and SIGINT until `dispose`. */
export function listenForStop(): Stop {
  const asked = new AbortController();
  const forced = new AbortController();
  const onSignal = (): void => (asked.signal.aborted ? forced.abort() : asked.abort());
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
