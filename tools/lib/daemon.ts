/**
 * What makes a client a daemon: it tells the service manager how it stands, reads its configuration again on SIGHUP,
 * and serves its figures.
 */
import { asProblem, type Problem } from '../../protocol/problem.ts';
import type { Client } from './client.ts';
import { type Figures, type MetricsEndpoint, serveMetrics } from './client-metrics.ts';
import type { Notices } from './notices.ts';
import { ServiceManager } from './service-manager.ts';

/** A slot may take as long as a relay that accepts and says nothing: connecting, and waiting for an answer. */
const SLOWEST_SLOT_MS = 45_000;

export interface DaemonOptions {
  /** As it stands in the names of metrics. */
  readonly tool: 'sender' | 'receiver';
  readonly client: Client;
  readonly notices: Notices;
  /** Aborts when the daemon is asked to stop. */
  readonly stopAsked: AbortSignal;
  /** `[ADDRESS:]PORT` of the metrics; undefined for none. */
  readonly metrics: string | undefined;
  readonly figures: Figures;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Called when the configuration was read again: the next slot must register anew. */
  readonly onReload: () => void;
}

export class Daemon {
  readonly #options: DaemonOptions;
  readonly #manager: ServiceManager;
  readonly #onHangup = (): void => {
    this.#isReloadAsked = true;
  };
  readonly #onStop = (): void => this.#manager.stopping();
  #isReloadAsked = false;
  #endpoint: MetricsEndpoint | undefined;

  private constructor(options: DaemonOptions) {
    this.#options = options;
    const { notices, now, stopAsked } = options;
    this.#manager = new ServiceManager({ env: process.env, now, onProblem: (problem) => notices.problem(problem) });
    process.on('SIGHUP', this.#onHangup);
    stopAsked.addEventListener('abort', this.#onStop);
  }

  /** Starts to listen and says that the daemon is ready, though the relay may still be away. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const daemon = new Daemon(options);
    try {
      await daemon.#begin();
      return daemon;
    } catch (thrown) {
      await daemon.close();
      throw thrown;
    }
  }

  /** To be called at each step that shows that the daemon is not stuck. */
  alive(): void {
    this.#manager.alive();
  }

  /** To be called between two slots, with what went wrong in the last one: nothing may be under way. */
  betweenSlots(problem: Problem | null): void {
    this.#manager.alive();
    if (this.#isReloadAsked) this.#reload();
    this.#manager.status(problem ? `${problem.detail} [${problem.code}]` : this.#running());
  }

  /** Stops to listen; resolves when the service manager has heard everything. */
  async close(): Promise<void> {
    process.off('SIGHUP', this.#onHangup);
    this.#options.stopAsked.removeEventListener('abort', this.#onStop);
    await this.#endpoint?.close();
    await this.#manager.close();
  }

  async #begin(): Promise<void> {
    const { tool, client, metrics, figures, notices } = this.#options;
    if (metrics !== undefined) {
      this.#endpoint = await serveMetrics(tool, metrics, figures);
      notices.say(`metrics at ${this.#endpoint.url}`);
    }
    const { intervalMs } = client.directory.roster.profile;
    const { watchdogMs } = this.#manager;
    if (watchdogMs !== undefined && watchdogMs < 2 * intervalMs + SLOWEST_SLOT_MS) {
      const slowest = (intervalMs + SLOWEST_SLOT_MS) / 1000;
      notices.say(
        `WatchdogSec is ${watchdogMs / 1000} s, a slot may take ${slowest} s: a slow relay leads to restarts`,
      );
    }
    this.#manager.ready(`connects to ${client.profile.url}`);
  }

  /** What is broken is said, and the old configuration stays. */
  #reload(): void {
    const { client, notices, onReload } = this.#options;
    this.#isReloadAsked = false;
    this.#manager.reloading();
    try {
      client.reload();
      onReload();
      notices.say(`the configuration was read again: ${client.profile.url}, roster ${client.directory.roster.version}`);
    } catch (thrown) {
      const { detail, code, mend } = asProblem(thrown);
      notices.say(`the configuration stays as it was: ${detail} [${code}]\n  ${mend}`);
    }
    this.#manager.ready(this.#running());
  }

  #running(): string {
    return `exchanges blocks with ${this.#options.client.profile.url}`;
  }
}
