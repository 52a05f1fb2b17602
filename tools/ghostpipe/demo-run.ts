/** The demo's run: relay, sender and receiver as processes of their own, fed for a while, inspected, drained. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { fromHex } from '../../protocol/text.ts';
import { ToolProcess } from '../lib/tool-process.ts';
import { type DemoExport, exportRun } from './demo-export.ts';
import type { Scene } from './demo-view.ts';
import { deviceSeeds } from './device-seeds.ts';
import { type EphemeralSite, openEphemeralSite } from './ephemeral-site.ts';
import { combine, type Inspected, inspect } from './inspection.ts';
import { machineSources } from './machine-counters.ts';
import { Readings } from './readings.ts';
import { askRelay, NO_NUMBERS, type RelayNumbers } from './relay-watch.ts';
import { TRIAL_DEVICES } from './start.ts';

const SENDER_SCRIPT = fileURLToPath(new URL('./demo-sender.ts', import.meta.url));
const READING_MS = 1000;
/** How long the sender may go on after the last reading until it has every delivery receipt. */
const DRAIN_MS = 60_000;
/** Each block draws two 32-byte secrets (content key, ack seed); those of the last 128 blocks are looked for. */
const SECRETS_KEPT = 256;
/** When, as parts of the run, the relay's memory is searched. */
const INSPECTED_AT = [0.3, 0.7];

export interface DemoOptions {
  readonly seconds: number;
  readonly intervalMs: number;
  readonly blockSize: number;
  readonly slots: number;
  /** Stands in every reading; not anywhere else. */
  readonly canary: string;
  /** Script that runs as `SCRIPT relay ...` instead of the dispatcher. */
  readonly relayScript?: string;
  /** Folder for an export of the run's audit log. */
  readonly exportTo?: string;
  readonly onScene: (scene: Scene) => void;
  readonly onNotice: (line: string) => void;
  /** Aborts to end early, without a result. */
  readonly stop: AbortSignal;
}

export interface DemoResult {
  readonly readingsIn: number;
  readonly readingsOut: number;
  readonly blocks: number;
  readonly covers: number;
  readonly burned: number;
  readonly lost: number;
  readonly seconds: number;
  /** Needles found in the relay's memory; null when it was not searched. */
  readonly plaintextSeenByRelay: number | null;
  /** Whether the same search finds the canary in the sender; null when it was not searched. */
  readonly control: boolean | null;
  /** There when an export was asked for. */
  readonly exported?: DemoExport;
}

/** Runs the whole demo; null when it was stopped early. Nothing is left running or lying about. */
export async function runDemo(options: DemoOptions): Promise<DemoResult | null> {
  const ephemeral = await openEphemeralSite(nativeEngine, {
    ...options,
    name: 'demo',
    logLevel: 'error',
    devices: TRIAL_DEVICES,
  });
  const run = new DemoRun(options, ephemeral);
  try {
    return await run.all();
  } finally {
    await run.end();
    await ephemeral.close();
  }
}

class DemoRun {
  readonly #options: DemoOptions;
  readonly #ephemeral: EphemeralSite;
  readonly #readings: Readings;
  readonly #receiver: ToolProcess;
  readonly #receiverReady = Promise.withResolvers<void>();
  readonly #sender: ToolProcess;
  /** The newest secrets that the sender drew; only its messages write it. */
  readonly #drawn: Uint8Array[] = [];
  #numbers: RelayNumbers = NO_NUMBERS;
  #phase = 'starting';
  #secondsLeft: number;

  constructor(options: DemoOptions, ephemeral: EphemeralSite) {
    this.#options = options;
    this.#ephemeral = ephemeral;
    this.#secondsLeft = options.seconds;
    this.#readings = new Readings(machineSources(), options.canary);
    this.#receiver = new ToolProcess(['receiver', '--device-id', 'historian'], {
      env: ephemeral.environment('historian'),
      onLine: (line) => this.#readings.note(line),
      onNotice: (line) =>
        line.includes('waits for readings') ? this.#receiverReady.resolve() : options.onNotice(line),
    });
    this.#sender = new ToolProcess(['--stdin', '--device-id', 'plc-A1'], {
      script: SENDER_SCRIPT,
      env: ephemeral.environment('plc-A1'),
      onNotice: options.onNotice,
      onMessage: (message) => this.#noteSecret(message),
    });
  }

  async all(): Promise<DemoResult | null> {
    const watching = new AbortController();
    const watch = this.#watch(watching.signal);
    try {
      await this.#receiver.until(this.#receiverReady.promise, 'the receiver');
      const [seconds, inspections] = await Promise.all([this.#feed(), this.#inspections()]);
      if (this.#options.stop.aborted) return null;
      await this.#drain();
      const { blocks, covers, burned } = await askRelay(this.#ephemeral.monitor);
      const { in: readingsIn, out: readingsOut } = this.#readings;
      const { seen: plaintextSeenByRelay, control } = combine(inspections);
      const lost = readingsIn - readingsOut;
      const result = { readingsIn, readingsOut, blocks, covers, burned, lost, seconds, plaintextSeenByRelay, control };
      return { ...result, ...(await this.#export()) };
    } finally {
      watching.abort();
      await watch;
    }
  }

  /** Ends both tools, however far the run came. After a whole run they have ended by themselves. */
  async end(): Promise<void> {
    for (const tool of [this.#sender, this.#receiver]) {
      tool.signal('SIGKILL');
      await tool.exited;
    }
  }

  /** Gives the sender one reading of each source a second; gives for how many seconds. */
  async #feed(): Promise<number> {
    this.#phase = 'carrying readings';
    let seconds = 0;
    for (; seconds < this.#options.seconds && !this.#options.stop.aborted; seconds++) {
      this.#sender.stdin.write(`${this.#readings.take().join('\n')}\n`);
      await this.#pause(READING_MS);
      this.#secondsLeft -= 1;
    }
    return seconds;
  }

  /** After the last reading: the sender ends when all is delivered, then the receiver says the rest. */
  async #drain(): Promise<void> {
    this.#phase = 'delivering the rest';
    this.#secondsLeft = 0;
    this.#sender.stdin.end();
    await Promise.race([this.#sender.exited, sleep(DRAIN_MS, undefined, { ref: false })]);
    await this.#sender.stop();
    await this.#untilEmpty();
    await this.#receiver.stop();
    this.#phase = 'done';
  }

  async #export(): Promise<Pick<DemoResult, 'exported'>> {
    const { exportTo } = this.#options;
    if (exportTo === undefined) return {};
    this.#phase = 'waiting for the next signed head, then exporting the audit log';
    return { exported: await exportRun(this.#ephemeral, exportTo) };
  }

  /** Waits until the receiver has claimed what the sender sent last; an idle block may come behind the last reading. */
  async #untilEmpty(): Promise<void> {
    for (let slot = 0; slot < 20; slot++) {
      if ((await askRelay(this.#ephemeral.monitor)).held === 0) return;
      await sleep(this.#options.intervalMs);
    }
  }

  async #inspections(): Promise<readonly Inspected[]> {
    const { seconds, stop } = this.#options;
    const started = performance.now();
    const done: Inspected[] = [];
    for (const part of INSPECTED_AT) {
      await this.#pause(started + part * seconds * 1000 - performance.now());
      if (!stop.aborted) done.push(await this.#inspection());
    }
    return done;
  }

  async #inspection(): Promise<Inspected> {
    const { monitor, relay } = this.#ephemeral;
    this.#receiver.signal('SIGSTOP');
    try {
      return await inspect({
        relayPid: relay.pid,
        senderPid: this.#sender.pid,
        canary: this.#options.canary,
        secrets: () => [...this.#drawn, ...this.#seeds()],
        held: async () => (await askRelay(monitor)).held,
        patienceMs: 10 * this.#options.intervalMs,
      });
    } finally {
      this.#receiver.signal('SIGCONT');
    }
  }

  async #pause(ms: number): Promise<void> {
    await sleep(Math.max(0, ms), undefined, { signal: this.#options.stop }).catch(() => {});
  }

  #seeds(): Uint8Array[] {
    return ['plc-A1', 'historian'].flatMap((name) => [
      ...deviceSeeds(this.#ephemeral.environment(name).GHOSTPIPE_CONFIG_DIR, name),
    ]);
  }

  #noteSecret(message: unknown): void {
    const { secret } = message as { readonly secret?: string };
    if (secret) this.#drawn.push(fromHex(secret, 32));
    if (this.#drawn.length > SECRETS_KEPT) this.#drawn.shift();
  }

  /** Draws the scene each second. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#numbers = await askRelay(this.#ephemeral.monitor).catch(() => this.#numbers);
      this.#options.onScene(this.#scene());
      await sleep(1000, undefined, { signal }).catch(() => {});
    }
    this.#options.onScene(this.#scene());
  }

  #scene(): Scene {
    const { in: readingsIn, out: readingsOut, lastIn, lastOut } = this.#readings;
    return {
      phase: this.#phase,
      secondsLeft: this.#secondsLeft,
      slots: this.#options.slots,
      relay: this.#numbers,
      readingsIn,
      readingsOut,
      lastIn,
      lastOut,
    };
  }
}
