/**
 * Readings to a command, started once a block: JSON lines on its standard input. Exit 0 commits, exit 65 (EX_DATAERR)
 * refuses the block for good, anything else leaves it at the relay for later.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { Problem } from '../../protocol/problem.ts';
import { type RecordBatch, recordJson, type Sink, SinkRefusal } from './sink.ts';

const EX_DATAERR = 65;

export class ExecSink implements Sink {
  readonly #command: string;
  readonly #signal: AbortSignal;

  /** `signal` kills a command that runs: its block stays at the relay. */
  constructor(command: string, signal: AbortSignal) {
    this.#command = command;
    this.#signal = signal;
  }

  async commitRecords(batch: RecordBatch): Promise<number> {
    const lines = batch.records.map((record) => `${JSON.stringify(recordJson(batch, record))}\n`);
    const code = await this.#run(lines.join(''), batch.sender);
    if (code === EX_DATAERR) throw new SinkRefusal(`the command refused readings of ${batch.sender} (exit 65)`);
    if (code !== 0) throw new Problem('sink-failed', `the command ended with ${code}`);
    return batch.records.length;
  }

  async commitChunk(): Promise<boolean> {
    throw new SinkRefusal('a command takes readings, not files; use --output DIR');
  }

  /** A command gets readings; what it is not told stands in the notices. */
  async note(): Promise<void> {}

  tend(): readonly string[] {
    return [];
  }

  async close(): Promise<void> {}

  /** In a process group of its own: Ctrl-C is for the receiver, which lets the command end. */
  #run(input: string, sender: string): Promise<number | string> {
    return new Promise((resolve, reject) => {
      const { GHOSTPIPE_KEY: _secret, NODE_COMPILE_CACHE: _own, ...environment } = process.env;
      const child = spawn('/bin/sh', ['-c', this.#command], {
        stdio: ['pipe', 'inherit', 'inherit'],
        detached: true,
        env: { ...environment, GHOSTPIPE_SENDER: sender },
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
