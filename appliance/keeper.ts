/**
 * What follows from the verdicts of the self-transfer: the word on the console, the lamp, the service manager, and whether
 * the watchdog is fed. A full relay does its work and is not rebooted; one that fails for too long is.
 */
import type { ServiceManager } from '../tools/lib/service-manager.ts';
import { CONSOLE } from './layout.ts';
import { type Lamp, NOT_READY, READY } from './leds.ts';
import type { Verdict } from './self-transfer.ts';
import type { Watchdog } from './watchdog.ts';

export interface KeeperOptions {
  readonly manager: Pick<ServiceManager, 'ready' | 'status' | 'alive'>;
  readonly lamp: Pick<Lamp, 'show'>;
  readonly watchdog: Pick<Watchdog, 'feed'>;
  /** A line on the console. */
  readonly say: (line: string) => void;
  /** Monotonic ms. */
  readonly now: () => number;
  /** How long a relay may fail before the machine is reset. */
  readonly patienceMs: number;
}

export class Keeper {
  readonly #options: KeeperOptions;
  /** When the relay last did its work, or refused as it should; the start counts. */
  #goodMs: number;
  #said = '';
  #wasReady = false;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#goodMs = options.now();
    options.lamp.show(NOT_READY);
  }

  /** A test ended. */
  judge(verdict: Verdict): void {
    const { lamp, manager, now } = this.#options;
    if (verdict.state !== 'failed') this.#goodMs = now();
    if (verdict.state === 'passed') {
      if (!this.#wasReady) manager.ready('the self-test passed');
      this.#wasReady = true;
      lamp.show(READY);
      this.#tell(CONSOLE.ready);
      return;
    }
    lamp.show(NOT_READY);
    this.#tell(`${CONSOLE.notReady}${verdict.fact} [${verdict.code}]`);
  }

  /** Time passes; called more often than any watchdog bites. */
  tick(): void {
    const { watchdog, manager, now, patienceMs } = this.#options;
    manager.alive();
    if (now() - this.#goodMs < patienceMs) watchdog.feed();
  }

  /** Says what is new. */
  #tell(line: string): void {
    if (line === this.#said) return;
    this.#said = line;
    this.#options.say(line);
    this.#options.manager.status(line);
  }
}
