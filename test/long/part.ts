/** A long run as a program: its options are numbers, its end is a list of faults and some figures. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Ending } from '../fixtures/relay-process.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Part<Name extends string> {
  readonly name: string;
  readonly what: string;
  readonly options: Readonly<Record<Name, { readonly standard: number; readonly help: string }>>;
  run(scene: PartScene, numbers: Readonly<Record<Name, number>>): Promise<PartResult>;
}

/** What a part is given: an empty folder, a way to say how far it is, and an end that comes whatever happens. */
export interface PartScene extends Ending {
  readonly directory: string;
  say(progress: string): void;
}

export interface PartResult {
  /** Each one a sentence; none when all held. */
  readonly faults: readonly string[];
  readonly figures: Readonly<Record<string, number | string>>;
}

/** Runs the part with the words of the command line; sets the exit code: 0, or 1 when there was a fault. A signal ends it too. */
export async function runPart<Name extends string>(part: Part<Name>): Promise<void> {
  const request = parse(part);
  if (!request) return;
  const ends: (() => unknown)[] = [];
  const directory = mkdtempSync(join(tmpdir(), `ghostpipe-${part.name}-`));
  const scene: PartScene = {
    directory,
    teardown: (end) => void ends.push(end),
    say: (progress) => void process.stderr.write(`${part.name}: ${progress}\n`),
  };
  const end = async (): Promise<void> => {
    for (const each of ends.splice(0).reverse()) await each();
    rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void end().then(() => process.exit(EXIT.interrupted)));
  }
  const startMs = performance.now();
  try {
    const { faults, figures } = await part.run(scene, request.numbers);
    const seconds = Math.round((performance.now() - startMs) / 1000);
    const result = { part: part.name, ok: faults.length === 0, seconds, ...request.numbers, ...figures };
    if (request.json) process.stdout.write(`${JSON.stringify({ ...result, faults })}\n`);
    else process.stdout.write(`${[...lines(result), ...faults.map((fault) => `fault: ${fault}`)].join('\n')}\n`);
    process.exitCode = faults.length === 0 ? EXIT.ok : EXIT.failed;
  } finally {
    await end();
  }
}

function lines(result: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(result).map(([name, value]) => `${name.padEnd(20)} ${value}`);
}

/** Numbers and whether as JSON; undefined after help, or after what is wrong with the words. */
function parse<Name extends string>({ name, what, options }: Part<Name>) {
  const known = Object.entries(options) as [Name, Part<Name>['options'][Name]][];
  const usage = [
    `usage: npm run test:long -- ${name} [options]: ${what}`,
    ...known.map(([option, { standard, help }]) => `  --${`${option} N`.padEnd(14)} ${help} (default ${standard})`),
    `  --json           one line of JSON at the end`,
    '',
  ].join('\n');
  try {
    const numeric = known.map(([option, { standard }]) => {
      return [option, { type: 'string' as const, default: String(standard) }] as const;
    });
    const flags = { json: { type: 'boolean' as const }, help: { type: 'boolean' as const } };
    const parsed = parseArgs({ options: { ...Object.fromEntries(numeric), ...flags } });
    const values: Record<string, unknown> = parsed.values;
    if (values.help) {
      process.stdout.write(usage);
      return undefined;
    }
    const numbers = Object.fromEntries(known.map(([option]) => [option, positive(option, values[option])]));
    return { numbers: numbers as Record<Name, number>, json: values.json === true };
  } catch (thrown) {
    process.stderr.write(`${(thrown as Error).message}\n${usage}`);
    process.exitCode = EXIT.usage;
    return undefined;
  }
}

function positive(option: string, text: unknown): number {
  const number = Number(text);
  if (!(number > 0)) throw new Error(`--${option} is ${text}, expected a number above 0`);
  return number;
}
