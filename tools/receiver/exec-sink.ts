/**
 * Readings to a command, started once a block: JSON lines on its standard input. Exit 0 commits, exit 65 (EX_DATAERR)
 * refuses the block for good, anything else leaves it at the relay for later. It is also started, with one line and
 * `GHOSTPIPE_STATE` in its environment, when a sender falls silent or is heard again; one command runs at a time.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Problem } from '../../protocol/problem.ts';
import { type DeviceNote, noteJson, type RecordBatch, recordJson, type Sink, SinkRefusal } from './sink.ts';

const EX_DATAERR = 65;

export class ExecSink implements Sink {
  readonly #command: string;
  readonly #signal: AbortSignal;
  /** Ends with the command that runs. */
  #running: Promise<unknown> = Promise.resolve();

  /** `signal` kills a command that runs: its block stays at the relay. */
  constructor(command: string, signal: AbortSignal) {
    this.#command = command;
    this.#signal = signal;
  }

  async commitRecords(batch: RecordBatch): Promise<number> {
    const lines = batch.records.map((record) => `${JSON.stringify(recordJson(batch, record))}\n`);
    const code = await this.#run(lines.join(''), { GHOSTPIPE_SENDER: batch.sender });
    if (code === EX_DATAERR) throw new SinkRefusal(`the command refused readings of ${batch.sender} (exit 65)`);
    if (code !== 0) throw new Problem('sink-failed', `the command ended with ${code}`);
    return batch.records.length;
  }

  async commitChunk(): Promise<boolean> {
    throw new SinkRefusal('a command takes readings, not files; use --output DIR');
  }

  /** A command that refuses a note (exit 65) is not told again. */
  async note(note: DeviceNote): Promise<void> {
    const words = { GHOSTPIPE_SENDER: note.sender, GHOSTPIPE_STATE: note.state };
    const code = await this.#run(`${JSON.stringify(noteJson(note))}\n`, words);
    if (code === 0 || code === EX_DATAERR) return;
    throw new Problem('sink-failed', `the command, told that ${note.sender} is ${note.state}, ended with ${code}`);
  }

  tend(): readonly string[] {
    return [];
  }

  async close(): Promise<void> {
    await this.#running;
  }

  /** Runs the command once the one before has ended. */
  #run(input: string, words: NodeJS.ProcessEnv): Promise<number | string> {
    const run = this.#running.then(() => this.#start(input, words));
    this.#running = run.catch(() => {});
    return run;
  }

  /** In a process group of its own: Ctrl-C is for the receiver, which lets the command end. */
  #start(input: string, words: NodeJS.ProcessEnv): Promise<number | string> {
    return new Promise((resolve, reject) => {
      if (this.#signal.aborted) {
        reject(new Problem('sink-failed', 'the command is not started: the receiver was told to end at once'));
        return;
      }
      const { GHOSTPIPE_KEY: _secret, NODE_COMPILE_CACHE: _own, ...environment } = process.env;
      const child = spawn('/bin/sh', ['-c', this.#command], {
        stdio: ['pipe', 'inherit', 'inherit'],
        detached: true,
        env: { ...environment, ...words },
      });
      const kill = (): void => killGroup(child);
      this.#signal.addEventListener('abort', kill);
      child.on('error', (error) => reject(new Problem('sink-failed', `the command cannot start (${error.message})`)));
      child.on('close', (code, signal) => {
        this.#signal.removeEventListener('abort', kill);
        resolve(code ?? String(signal));
      });
      child.stdin.on('error', () => {}); // a command may end without reading all; its exit code decides
      child.stdin.end(input);
    });
  }
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // it ended by itself
  }
}
