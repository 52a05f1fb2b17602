/** A guest: QEMU as a child process, its console, its control channel, and its end. */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { SerialConsole } from './console.ts';
import { type MachineSpec, machineWords, needMachine, PROGRAM } from './machine.ts';
import { Qmp } from './qmp.ts';

/** How long QEMU may take to write back and leave. */
const QUIT_MS = 10_000;

export interface GuestOptions {
  /** Words before QEMU, as of a program that runs it in another network. */
  readonly through?: readonly string[];
  /** Ends the guest whatever it does; milliseconds. */
  readonly limitMs: number;
}

export class Guest {
  readonly console: SerialConsole;
  readonly qmp: Qmp;
  /** When QEMU was started, by `performance.now()`. */
  readonly startedMs: number;
  /** What QEMU itself had to say, once it has ended; a guest that shut itself down says nothing. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;

  /** Starts the machine. Refuses `tool-missing` where there is no QEMU. */
  constructor(spec: MachineSpec, { through = [], limitMs }: GuestOptions) {
    needMachine();
    const [program, ...words] = [...through, PROGRAM, ...machineWords(spec)];
    this.startedMs = performance.now();
    this.#child = spawn(program!, words, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    this.console = new SerialConsole(this.#child.stdout!);
    this.qmp = new Qmp(this.#child.stdio[3] as Duplex);
    const complaint = text(this.#child.stderr!);
    const limit = setTimeout(() => this.cutPower(), limitMs);
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', () => {
        clearTimeout(limit);
        resolve(complaint);
      });
    });
    this.ended.catch(() => {}); // whoever waits for it is told
  }

  /** Lets QEMU write what it holds and leave; kills it when it does not. The guest itself is not asked. */
  async end(): Promise<void> {
    const limit = setTimeout(() => this.cutPower(), QUIT_MS);
    await this.qmp.execute('quit').catch(() => {}); // it has ended already
    await this.ended.catch(() => {});
    clearTimeout(limit);
  }

  /** Ends it as a power cut does: at once, with whatever the disk holds by then. */
  cutPower(): void {
    this.#child.kill('SIGKILL');
  }
}
