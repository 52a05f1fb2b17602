/** `npm run test:long -- fuzz`: every parser that meets bytes from outside, as many inputs as are asked for. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NODE_OPTIONS, runCampaign, writeFailures } from './campaign.ts';
import type { Report } from './fuzzer.ts';
import { SHARES } from './shares.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;
const COMMAND = 'npm run test:long -- fuzz';
const USAGE = `usage: ${COMMAND} [--inputs N] [--seed TEXT] [--target NAME]... [--out DIR] [--json]
       ${COMMAND} --target NAME --repeat FILE

  --inputs N      inputs of all targets together (default 10000000)
  --seed TEXT     makes the same changes again (default: a new one, which is printed)
  --target NAME   only this target; may be given more than once
  --out DIR       where failing inputs are written (default .tap/fuzz)
  --repeat FILE   run one input again
  --json          print one JSON object as the last line

targets: ${Object.keys(SHARES).join(' ')}
Ctrl-C ends it after the inputs that are under way, and prints what was found until then.
exit codes: 0 no failure, 1 some, 2 wrong usage, 130 interrupted
`;
const PROGRESS_MS = 5000;
const SHOWN_HEX = 2000;

process.exitCode = await main();

async function main(): Promise<number> {
  const request = parse();
  if (!request) return EXIT.usage;
  if (request.help) {
    process.stdout.write(USAGE);
    return EXIT.ok;
  }
  if (request.repeat !== undefined) return repeat(request.targets[0]!, request.repeat);
  return fuzzAll(request);
}

type Request = NonNullable<ReturnType<typeof parse>>;

/** Undefined after it has said what is wrong with the words. */
function parse() {
  try {
    const { values } = parseArgs({
      options: {
        inputs: { type: 'string', default: '10000000' },
        seed: { type: 'string', default: randomBytes(8).toString('hex') },
        target: { type: 'string', multiple: true, default: [] },
        out: { type: 'string', default: join('.tap', 'fuzz') },
        repeat: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const inputs = Number(values.inputs);
    if (!Number.isSafeInteger(inputs) || inputs < 1) throw new Error('--inputs must be a whole number from 1');
    const unknown = values.target.find((name) => !Object.hasOwn(SHARES, name));
    if (unknown !== undefined) throw new Error(`"${unknown}" is not a target`);
    if (values.repeat !== undefined && values.target.length !== 1) throw new Error('--repeat needs one --target');
    const targets = values.target.length > 0 ? values.target : Object.keys(SHARES);
    return { ...values, inputs, targets };
  } catch (thrown) {
    process.stderr.write(`fuzz: ${(thrown as Error).message}\n\n${USAGE}`);
    return undefined;
  }
}

function repeat(target: string, file: string): number {
  const worker = join(import.meta.dirname, 'worker.ts');
  const args = [...NODE_OPTIONS, worker, target, '--repeat', file];
  return spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? EXIT.failed;
}

async function fuzzAll({ inputs, seed, targets, out, json }: Request): Promise<number> {
  const say = (text: string): void => void (json ? process.stderr : process.stdout).write(`${text}\n`);
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const started = performance.now();
  let saidMs = started;
  say(`${inputs} inputs for ${targets.length} targets, --seed ${seed}`);
  const reports = await runCampaign({
    inputs,
    seed,
    targets,
    stop: stop.signal,
    onReport(report) {
      say(reportLine(report));
      showFailures(report, out, say);
    },
    onProgress(tried) {
      if (performance.now() < saidMs + PROGRESS_MS) return;
      saidMs = performance.now();
      process.stderr.write(`  ${tried} of ${inputs} inputs, ${Math.round((saidMs - started) / 1000)} s\n`);
    },
  });
  const tried = reports.reduce((sum, report) => sum + report.inputs, 0);
  const failures = reports.reduce((sum, report) => sum + report.failures.length, 0);
  const seconds = Math.round((performance.now() - started) / 1000);
  say(`${tried} inputs, ${reports.length} targets, ${seconds} s, ${failures} failures`);
  if (json)
    process.stdout.write(
      `${JSON.stringify({ seed, inputs: tried, targets: reports.length, seconds, failures, reports })}\n`,
    );
  if (failures > 0) return EXIT.failed;
  return stop.signal.aborted ? EXIT.interrupted : EXIT.ok;
}

function reportLine(report: Report): string {
  const refused = Object.values(report.refused).reduce((sum, count) => sum + count, 0);
  const each = (report.seconds / Math.max(1, report.inputs)) * 1e6;
  return [
    `  ${report.failures.length === 0 ? 'ok' : 'FAILED'} ${report.target}: ${report.inputs} inputs`,
    `${report.accepted} accepted, ${refused} refused, ${report.corpus} reached something new`,
    `${Math.round(each)} µs each, slowest ${Math.round(report.slowestMs)} ms, ${report.slow} slow`,
    `memory ${report.growth.heapMiB.toFixed(1)} MiB more in use, ${report.growth.rssMiB.toFixed(1)} MiB resident`,
  ].join('; ');
}

function showFailures(report: Report, out: string, say: (text: string) => void): void {
  const paths = writeFailures(report, out);
  for (const [i, { kind, message, input, times }] of report.failures.entries()) {
    say(`    ${kind}, ${times} times: ${message}`);
    if (input === '') continue;
    say(`      ${input.slice(0, SHOWN_HEX)}${input.length > SHOWN_HEX ? '... (all of it in the file)' : ''}`);
    say(`      ${COMMAND} --target ${report.target} --repeat ${paths[i]}`);
  }
}
