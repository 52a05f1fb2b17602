/**
 * One target in a process of its own: `worker.ts TARGET --inputs N --seed S`, or `--repeat FILE` for one input.
 *
 * It tells its parent how far it is and what it found, and stops when the parent says so or is gone.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Problem } from '../../protocol/problem.ts';
import { Coverage } from './coverage.ts';
import type { FuzzOptions, Report } from './fuzzer.ts';
import { batchOf } from './shares.ts';

/** What a worker says to its parent. */
export type WorkerMessage = { readonly inputs: number } | { readonly report: Report };

/** In memory where there is such a folder: files are written for every input. */
const MEMORY = '/dev/shm';
const HTTP_TARGET = 'http';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { inputs: { type: 'string' }, seed: { type: 'string' }, repeat: { type: 'string' } },
});
const [name = ''] = positionals;
let stopped = false;
process.on('SIGTERM', stop).on('disconnect', stop);
process.on('SIGINT', () => {}); // the parent hears it too, and says when to stop

const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), 'ghostpipe-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
if (values.repeat === undefined) await tell({ report: await run() });
else await repeat(readFileSync(values.repeat));
process.exit();

function stop(): void {
  stopped = true;
}

/** Waits until the parent has it: an end of the process would drop what is still on its way. */
function tell(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send) process.send(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

async function run(): Promise<Report> {
  const options: FuzzOptions = {
    inputs: Number(values.inputs),
    seed: values.seed ?? '',
    onProgress: (inputs) => void tell({ inputs }),
    stopped: () => stopped,
  };
  if (name === HTTP_TARGET) {
    const { openScene } = await import('./http/relay-scene.ts');
    const { fuzzRelay } = await import('./http/fuzz-relay.ts');
    return fuzzRelay(await openScene(folder), options);
  }
  const coverage = new Coverage(); // before the parsers are loaded, so that their blocks are counted
  const { fuzz } = await import('./fuzzer.ts');
  return fuzz(await target(), { ...options, coverage, batch: batchOf(name) });
}

/** Runs one input, and says on stdout what became of it. */
async function repeat(input: Uint8Array): Promise<void> {
  const started = performance.now();
  let outcome = 'accepted';
  try {
    if (name === HTTP_TARGET) outcome = await askRelay(input);
    else (await target()).run(input);
  } catch (thrown) {
    if (!(thrown instanceof Problem) || thrown.code === 'internal') throw thrown;
    outcome = `refused: ${thrown.message}`;
  }
  process.stdout.write(
    `${outcome} (${input.length} bytes, ${Math.round(performance.now() - started)} ms with the start)\n`,
  );
}

async function target() {
  const { makeTargets } = await import('./targets.ts');
  return makeTargets(folder).find((each) => each.name === name)!;
}

/** The answers at each listener; throws when the relay is not well after them. */
async function askRelay(input: Uint8Array): Promise<string> {
  const { openScene } = await import('./http/relay-scene.ts');
  const { send } = await import('./http/fuzz-relay.ts');
  const { readAnswers } = await import('./http/answers.ts');
  const scene = await openScene(folder);
  const lines: string[] = [];
  for (const { zone } of scene.running.relay.listeners) {
    const { said, fault } = readAnswers(await send(scene, zone, input));
    lines.push(`${zone}: ${fault ?? scene.takeFault() ?? (said.join(', ') || 'closed')}`);
  }
  await scene.proveWell();
  return lines.join('\n');
}
