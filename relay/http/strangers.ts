/**
 * What the relay does about callers that prove nothing: failures are counted by source address, a source that failed
 * too often gets nothing done that costs, and no flood of failures fills the log.
 */
import { Problem } from '../../protocol/problem.ts';
import type { Log } from '../monitor/event-log.ts';
import type { Metrics } from '../monitor/metrics.ts';
import { Throttle } from './throttle.ts';

export interface StrangersOptions {
  readonly failuresPerMinute: number;
  readonly log: Log;
  readonly metrics: Pick<Metrics, 'failure' | 'throttled'>;
  /** Monotonic milliseconds. */
  now(): number;
}

export class Strangers {
  readonly #options: StrangersOptions;
  readonly #throttle: Throttle;

  constructor(options: StrangersOptions) {
    this.#options = options;
    this.#throttle = new Throttle(options.failuresPerMinute);
  }

  /**
   * Refuses a source that has failed too often, as any stranger is refused. Stands before what costs much, and only
   * there, after a look for a valid API key: others behind the same address are not locked out.
   */
  refuseSpent(source: string): void {
    if (!this.#throttle.isSpent(source, this.#options.now())) return;
    this.#options.metrics.throttled();
    throw new Problem('not-available', `${source} has failed too often`);
  }

  /** Counts a failed attempt; `tell` logs it, and is called unless the source has failed too often. */
  failed(source: string, tell: () => void): void {
    this.#options.metrics.failure();
    if (this.#throttle.failed(source, this.#options.now())) tell();
  }

  /** Logs what was not told one by one: a line for each source and minute. Called every now and then. */
  settle(): void {
    for (const overflow of this.#throttle.takeOverflow(this.#options.now())) {
      this.#options.log.warn(overflow, 'further failures');
    }
  }
}
