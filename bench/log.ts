/**
 * The audit log: what a record costs against the bare hashing of it, how many it takes a second with its heads on time,
 * what a million of them need of memory and time, and how long a proof and a start take then. The parts are processes of
 * their own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { CannotMeasure, type Figures, judge, type PartResult, round } from './figures.ts';
import type { AppendTimes } from './log-append.ts';
import type { Filled, Replayed, Required, Task } from './log-run.ts';
import { type LoopDisk, mountLoopDisk } from './loop-disk.ts';

const SCRIPT = fileURLToPath(new URL('./log-run.ts', import.meta.url));
const MEMORY_FOLDER = '/dev/shm';
const MILLION = 1e6;

/** What is measured is what the log keeps: left alone, V8 would let its young generation grow with the load. */
const NODE_OPTIONS = ['--max-semi-space-size=1'];

/** A minute of heads is the first and two more. */
const PLAN = { turns: 15, records: MILLION, warmUp: 50_000, heads: 3, proofs: 20_000, requiredSeconds: 65 } as const;
const QUICK_PLAN = { turns: 2, records: 20_000, warmUp: 5_000, heads: 1, proofs: 500, requiredSeconds: 3 } as const;

export interface LogBenchOptions {
  /** A few records only: whether it works, not how fast. */
  readonly quick: boolean;
  /** Aborts what runs. */
  readonly asked: AbortSignal;
}

export async function benchLog({ quick, asked }: LogBenchOptions): Promise<PartResult> {
  const { turns, requiredSeconds, ...plan } = quick ? QUICK_PLAN : PLAN;
  if (!existsSync(MEMORY_FOLDER)) throw new CannotMeasure(`${MEMORY_FOLDER} is missing: there is no folder in memory`);
  const folder = mkdtempSync(join(MEMORY_FOLDER, 'ghostpipe-bench-'));
  const run = <T>(task: Task) => runTask<T>(task, asked);
  try {
    const append = await run<AppendTimes>({ task: 'append', folder, turns });
    const filled = await run<Filled>({ task: 'fill', folder, ...plan });
    if (readdirSync(folder).length === 0) throw new Error('the log left no journal');
    const replayed = await run<Replayed>({ task: 'replay', folder });
    const empty = mkdtempSync(join(folder, 'required-'));
    const required = await onLoopDisk((stick) =>
      run<Required>({ task: 'required', folder: empty, stick, seconds: requiredSeconds }),
    );
    return conclude(append, filled, replayed, required, plan);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What `measure` gives of a folder on a disk of its own; why not, where none can be mounted. */
async function onLoopDisk(measure: (folder: string) => Promise<Required>): Promise<Required | string> {
  let disk: LoopDisk;
  try {
    disk = mountLoopDisk(512);
  } catch (thrown) {
    if (thrown instanceof CannotMeasure) return thrown.message;
    throw thrown;
  }
  try {
    return await measure(disk.folder);
  } finally {
    disk.end();
  }
}

async function runTask<T>(task: Task, signal: AbortSignal): Promise<T> {
  process.stderr.write(`bench: log: ${task.task} ...\n`);
  const child = spawn(process.execPath, [...NODE_OPTIONS, SCRIPT, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    signal,
  });
  const [said, [status]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (status !== 0) throw new Error(`the process of "${task.task}" ended with ${status}`);
  return JSON.parse(said) as T;
}

function conclude(
  append: AppendTimes,
  filled: Filled,
  replayed: Replayed,
  required: Required | string,
  plan: Pick<typeof PLAN | typeof QUICK_PLAN, 'records' | 'warmUp'>,
): PartResult {
  const { records, warmUp } = plan;
  const isWhole = records === MILLION;
  const perMillion = (value: number, of = records - warmUp) => (isWhole ? round((value * MILLION) / of) : null);
  const figures: Figures = {
    'log.bareMicros': round(append.bare),
    'log.appendMicros': round(append.tree),
    'log.appendRatio': round(append.tree / append.bare),
    'log.journalledMicros': round(append.journalled),
    'log.journalledRatio': round(append.journalled / append.bare),
    'log.recordsPerSecond': Math.round(filled.recordsPerSecond),
    'log.requiredRecordsPerSecond': typeof required === 'string' ? null : Math.round(required.recordsPerSecond),
    'log.requiredHeadLateMs': typeof required === 'string' || !isWhole ? null : round(required.headLateMs),
    'log.headLateMs': isWhole ? round(filled.headLateMs) : null,
    'log.secondsPerMillion': perMillion(filled.seconds, records),
    'log.mibPerMillion': perMillion(filled.rssMiB + filled.filesMiB),
    'log.rssMibPerMillion': perMillion(filled.rssMiB),
    'log.heapMibPerMillion': perMillion(filled.heapMiB),
    'log.filesMibPerMillion': perMillion(filled.filesMiB),
    'log.proofP99Ms': round(filled.proofP99Ms),
    'log.proofsPerSecond': Math.round(filled.proofsPerSecond),
    'log.replaySecondsPerMillion': perMillion(replayed.seconds, replayed.records),
    'log.replayRssMiB': round(replayed.rssMiB),
    'log.replayPeakMiB': round(replayed.peakMiB),
  };
  const of = (name: string) => figures[`log.${name}`] as number;
  const notes = [
    judge('appending against the bare SHA-256 of the same tree', of('appendRatio'), 3),
    `records a second: ${of('recordsPerSecond')}, aim 1000: ${of('recordsPerSecond') >= 1000 ? '' : 'NOT '}reached`,
    ...(isWhole ? [judge('the latest head, milliseconds after its time', of('headLateMs'), 1000)] : []),
    ...(isWhole ? [judge('memory for a million records, MiB', of('mibPerMillion'), 143)] : []),
    judge('p99 of a proof, ms', of('proofP99Ms'), 20),
    typeof required === 'string'
      ? `records a second in the mode "required" are not measured: ${required}`
      : `records a second in the mode "required": ${Math.round(required.recordsPerSecond)}, each durable on an ext4 in a file`,
  ];
  return { figures, notes };
}
