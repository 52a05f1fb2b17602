/**
 * What a daemon tells the service manager (systemd): ready, reloading, stopping, a status line, and that it lives.
 *
 * Node has no datagram sockets of the AF_UNIX family, which the protocol needs, so `systemd-notify` carries each
 * message; every host with systemd has it. It waits until the manager has read the message, so with NotifyAccess=all
 * none is lost. Without NOTIFY_SOCKET nothing is done.
 */
import { execFile } from 'node:child_process';
import { Problem } from '../../protocol/problem.ts';

/** Longest wait for one message. */
const SEND_MS = 10_000;

export interface ServiceManagerOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Monotonic ms. */
  readonly now: () => number;
  /** Called when a message cannot be sent. */
  readonly onProblem: (problem: Problem) => void;
}

export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  /** Time after which the manager restarts a process that sends no sign of life; undefined when it does not watch. */
  readonly watchdogMs: number | undefined;
  /** Messages follow each other. */
  #sending: Promise<void> = Promise.resolve();
  #waiting = 0;
  #aliveMs = Number.NEGATIVE_INFINITY;
  #status = '';

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const { NOTIFY_SOCKET, WATCHDOG_USEC } = options.env;
    const isWatched = NOTIFY_SOCKET !== undefined && /^[1-9]\d{0,14}$/.test(WATCHDOG_USEC ?? '');
    this.watchdogMs = isWatched ? Number(WATCHDOG_USEC) / 1000 : undefined;
  }

  /** The daemon does its work from now on. */
  ready(status: string): void {
    this.#status = status;
    this.#send('READY=1', `STATUS=${status}`);
  }

  /** One line on how things stand; said when it is another than the last. */
  status(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#send(`STATUS=${text}`);
  }

  /** The configuration is read again; `ready` ends this. */
  reloading(): void {
    this.#send('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  stopping(): void {
    this.#send('STOPPING=1', 'STATUS=finishes what is under way');
  }

  /**
   * To be called at each step of the daemon's work. Signs of life go out here and nowhere else, so that a loop which is
   * stuck is restarted; not more than four in the time that the watchdog gives.
   */
  alive(): void {
    const now = this.#options.now();
    if (this.watchdogMs === undefined || this.#waiting > 0 || now - this.#aliveMs < this.watchdogMs / 4) return;
    this.#aliveMs = now;
    this.#send('WATCHDOG=1');
  }

  /** Resolves when everything was sent. */
  async close(): Promise<void> {
    await this.#sending;
  }

  #send(...assignments: string[]): void {
    const { NOTIFY_SOCKET, PATH } = this.#options.env;
    if (NOTIFY_SOCKET === undefined) return;
    this.#waiting += 1;
    const env = { NOTIFY_SOCKET, PATH };
    this.#sending = this.#sending
      .then(() => run('systemd-notify', assignments.map(oneLine), env))
      .catch((thrown: Error) =>
        this.#options.onProblem(new Problem('tool-missing', `systemd-notify cannot be run (${thrown.message})`)),
      )
      .finally(() => {
        this.#waiting -= 1;
      });
  }
}

/** A message has one assignment a line. */
function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}

function run(command: string, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(command, [...argv], { env, timeout: SEND_MS }, (error) => (error ? reject(error) : resolve()));
  });
}
