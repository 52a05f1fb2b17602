/** A tool of this project as a child process: started with the same Node, read line by line, ended by its own id. */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { Problem } from '../../protocol/problem.ts';

/** What `ghostpipe TOOL` runs. */
export const DISPATCHER: string = join(import.meta.dirname, '..', 'ghostpipe', 'main.ts');

/** After SIGTERM, how long a tool may take to end by itself. */
const STOP_MS = 40_000;

export interface ToolOptions {
  /** Script to run; the dispatcher when it is left out. */
  readonly script?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** Words for Node before the script. */
  readonly nodeOptions?: readonly string[];
  /** Each line of its standard output. */
  readonly onLine?: (line: string) => void;
  /** Each line of its standard error; they go to this process's own when it is left out. */
  readonly onNotice?: (line: string) => void;
  /** Each message that it sends over IPC. */
  readonly onMessage?: (message: unknown) => void;
}

export class ToolProcess {
  /** Exit code, or 128 + n when signal n ended it. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;
  #running = true;

  constructor(argv: readonly string[], options: ToolOptions = {}) {
    this.#child = spawn(process.execPath, [...(options.nodeOptions ?? []), options.script ?? DISPATCHER, ...argv], {
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', options.onNotice ? 'pipe' : 'inherit', ...(options.onMessage ? (['ipc'] as const) : [])],
    });
    const { stdin, stdout, stderr } = this.#child;
    stdin!.on('error', () => {}); // it ended before it read everything: its exit code says so
    readLines(stdout!, options.onLine);
    if (stderr) readLines(stderr, options.onNotice);
    if (options.onMessage) this.#child.on('message', options.onMessage);
    this.exited = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#running = false;
        resolve(signal ? 128 + constants.signals[signal] : (code ?? 1));
      });
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get running(): boolean {
    return this.#running;
  }

  get stdin(): Writable {
    return this.#child.stdin!;
  }

  /** Sends one signal, unless it has ended. */
  signal(name: NodeJS.Signals): void {
    if (this.#running) this.#child.kill(name);
  }

  /** What `promise` gives, or a refusal (`internal`) when this process ends first; `what` names it. */
  async until<T>(promise: Promise<T>, what: string): Promise<T> {
    const ended = this.exited.then((code) => {
      throw new Problem('internal', `${what} ended with exit code ${code} before it was ready`);
    });
    return await Promise.race([promise, ended]);
  }

  /** Asks it to end, insists after 40 s, and gives its exit code. */
  async stop(): Promise<number> {
    this.signal('SIGCONT');
    this.signal('SIGTERM');
    const insist = setTimeout(() => this.signal('SIGKILL'), STOP_MS);
    try {
      return await this.exited;
    } finally {
      clearTimeout(insist);
    }
  }
}

function readLines(stream: Readable, onLine: ((line: string) => void) | undefined): void {
  createInterface({ input: stream }).on('line', onLine ?? (() => {}));
}
