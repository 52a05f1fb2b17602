/** Fuzzes many targets, each in a process of its own, two at a time. */
import { fork } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Failure } from './failures.ts';
import type { Report } from './fuzzer.ts';
import { shareOut } from './shares.ts';
import type { WorkerMessage } from './worker.ts';

const WORKER = join(import.meta.dirname, 'worker.ts');
const AT_ONCE = 2;
/** A batch of the slowest inputs takes less; after so long without a word a process is ended. Tests wait for less. */
const SILENCE_MS = 300_000;
/** What a process may hold: a parser that builds objects without bound ends it. */
export const NODE_OPTIONS: readonly string[] = ['--max-old-space-size=1024'];

export interface CampaignOptions {
  /** Of all targets together. */
  readonly inputs: number;
  readonly seed: string;
  readonly targets: readonly string[];
  /** Told of each target when it is done. */
  readonly onReport: (report: Report) => void;
  /** Told now and then how many inputs of all were tried. */
  readonly onProgress: (inputs: number) => void;
  /** Ends the processes after the inputs that they are at. */
  readonly stop: AbortSignal;
  /** The program of a process; worker.ts when left out. */
  readonly worker?: string;
  readonly silenceMs?: number;
}

/** Fuzzes every target; the reports come in the order of the ends. */
export async function runCampaign(options: CampaignOptions): Promise<Report[]> {
  const waiting = [...shareOut(options.inputs, options.targets)].reverse(); // the slowest are the last of the table
  const reports: Report[] = [];
  const tried = new Map<string, number>();
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !options.stop.aborted; next = waiting.shift()) {
      const [target, inputs] = next;
      const report = await runTarget(target, inputs, options, (count) => {
        tried.set(target, count);
        options.onProgress([...tried.values()].reduce((sum, each) => sum + each, 0));
      });
      tried.set(target, report.inputs);
      reports.push(report);
      options.onReport(report);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return reports;
}

/** Runs one target to its end; a process that dies or goes silent is a failure of its target. */
function runTarget(
  target: string,
  inputs: number,
  { seed, stop, worker = WORKER, silenceMs = SILENCE_MS }: CampaignOptions,
  onProgress: (inputs: number) => void,
): Promise<Report> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = fork(worker, [target, '--inputs', String(inputs), '--seed', seed], {
      execArgv: [...NODE_OPTIONS],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let report: Report | undefined;
    let done = 0;
    let complaint = '';
    let silence = setTimeout(() => child.kill('SIGKILL'), silenceMs);
    const end = (): void => void child.kill('SIGTERM');
    stop.addEventListener('abort', end);
    child.stderr!.on('data', (chunk: Buffer) => {
      complaint = (complaint + chunk.toString('utf8')).slice(-2000);
    });
    child.on('message', (message: WorkerMessage) => {
      clearTimeout(silence);
      silence = setTimeout(() => child.kill('SIGKILL'), silenceMs);
      if ('report' in message) {
        report = message.report;
        return;
      }
      done = message.inputs;
      onProgress(done);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(silence);
      stop.removeEventListener('abort', end);
      const why = `the process ended with ${signal ?? `exit code ${code}`} after about ${done} inputs: ${complaint}`;
      resolve(report ?? deadReport(target, done, (performance.now() - started) / 1000, why));
    });
  });
}

function deadReport(target: string, inputs: number, seconds: number, message: string): Report {
  const failure: Failure = { kind: 'crash', message, input: '', times: 1 };
  const none = { accepted: 0, refused: {}, corpus: 0, covered: 0, slow: 0, slowestMs: 0 };
  return { target, inputs, seconds, ...none, growth: { rssMiB: 0, heapMiB: 0 }, failures: [failure] };
}

/** Writes the inputs of failures into `folder`; gives the path of each, in their order, null where there is none. */
export function writeFailures({ target, failures }: Report, folder: string): (string | null)[] {
  if (failures.length > 0) mkdirSync(folder, { recursive: true });
  return failures.map(({ kind, input }, i) => {
    if (input === '') return null;
    const path = join(folder, `${target}-${kind}-${i + 1}.bin`);
    writeFileSync(path, Buffer.from(input, 'hex'));
    return path;
  });
}
