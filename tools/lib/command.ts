/** One way to write a command: options as data, help from them, refusals with a sentence, fixed exit codes. */
import { parseArgs } from 'node:util';
import { asProblem, Problem, type ProblemCode } from '../../protocol/problem.ts';
import { readVersion } from './version.ts';

/** 0 done, 1 failed or open items, 2 usage, 3 could not run. */
export const EXIT = { ok: 0, failed: 1, usage: 2, couldNotRun: 3 } as const;

export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: boolean;
  /** Word for the value in the help text, as SECONDS. */
  readonly value?: string;
  readonly help: string;
}

export interface CommandSpec {
  readonly name: string;
  /** One sentence: what the command does. */
  readonly summary: string;
  /** What follows the name in the usage line. */
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  /** Most words besides options; 0 when left out. */
  readonly maxPositionals?: number;
  /** Codes that, beside the usual ones, say that this command could not run. */
  readonly couldNotRun?: readonly ProblemCode[];
}

/** Parsed options; `text` and `flag` give one, `texts` all of a repeated one. */
export interface Arguments {
  text(name: string): string | undefined;
  texts(name: string): readonly string[];
  flag(name: string): boolean;
  readonly positionals: readonly string[];
}

const COMMON: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', help: 'print one JSON object as the last line' },
  help: { type: 'boolean', short: 'h', help: 'show this help' },
  version: { type: 'boolean', help: 'show name and version' },
};

/** Codes that say that a command could not start at all, rather than that it failed. */
const COULD_NOT_RUN: readonly ProblemCode[] = [
  'config-invalid',
  'config-missing',
  'profile-missing',
  'key-missing',
  'identity-missing',
  'permissions-open',
  'spool-in-use',
  'file-invalid',
];

/** Runs `action` with parsed options and turns every refusal into a message and an exit code. */
export async function runCommand(
  spec: CommandSpec,
  argv: readonly string[],
  action: (args: Arguments) => Promise<number>,
): Promise<number> {
  try {
    const args = parse(spec, argv);
    if (args.flag('help')) {
      process.stdout.write(helpText(spec));
      return EXIT.ok;
    }
    if (args.flag('version')) {
      const { name, version, engines } = await readVersion();
      process.stdout.write(`${spec.name} (${name}) ${version}, Node ${process.versions.node} (needs ${engines})\n`);
      return EXIT.ok;
    }
    return await action(args);
  } catch (thrown) {
    return report(spec, asProblem(thrown), argv.includes('--json'));
  }
}

/** Prints a refusal on stderr, with `--json` also as the last line of stdout, and gives its exit code. */
function report({ name, couldNotRun = [] }: CommandSpec, problem: Problem, json: boolean): number {
  process.stderr.write(`${name}: ${problem.detail} [${problem.code}]\n  ${problem.mend}\n`);
  if (json) printJson({ ok: false, code: problem.code, detail: problem.detail, mend: problem.mend });
  return exitCodeOf(problem, couldNotRun);
}

/** The exit code of a command that ends with `problem`; `couldNotRun` are codes that mean so for this command too. */
export function exitCodeOf({ code }: Problem, couldNotRun: readonly ProblemCode[] = []): number {
  if (code === 'usage') return EXIT.usage;
  return [...COULD_NOT_RUN, ...couldNotRun].includes(code) ? EXIT.couldNotRun : EXIT.failed;
}

/** One JSON object on one line of stdout. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** A number option within [min, max]; refuses `usage`. */
export function numberOption(args: Arguments, name: string, min: number, max: number): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < min || value > max) {
    throw new Problem('usage', `--${name} must be a number from ${min} to ${max}, not "${text}"`);
  }
  return value;
}

/** A whole-number option within [min, max]; refuses `usage`. */
export function integerOption(args: Arguments, name: string, min: number, max: number): number | undefined {
  const value = numberOption(args, name, min, max);
  if (value !== undefined && !Number.isSafeInteger(value)) {
    throw new Problem('usage', `--${name} must be a whole number, not "${args.text(name)}"`);
  }
  return value;
}

/** An option that must be there; refuses `usage`. */
export function requiredOption(args: Arguments, name: string): string {
  const text = args.text(name);
  if (text === undefined || text === '') throw new Problem('usage', `--${name} is missing`);
  return text;
}

function parse(spec: CommandSpec, argv: readonly string[]): Arguments {
  const { values, positionals } = parseStrictly(spec, argv);
  const max = spec.maxPositionals ?? 0;
  if (positionals.length > max) throw new Problem('usage', `"${positionals[max]}" is one word too many`);
  const read = (name: string): unknown => (values as Record<string, unknown>)[name];
  return {
    text: (name) => read(name) as string | undefined,
    texts: (name) => (read(name) as string[] | undefined) ?? [],
    flag: (name) => read(name) === true,
    positionals,
  };
}

function parseStrictly(spec: CommandSpec, argv: readonly string[]) {
  const options = Object.fromEntries(
    Object.entries({ ...spec.options, ...COMMON }).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short ? { short } : {}), ...(multiple ? { multiple } : {}) },
    ]),
  );
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (thrown) {
    throw new Problem('usage', (thrown as Error).message.split('\n')[0]!);
  }
}

function helpText(spec: CommandSpec): string {
  const rows = Object.entries({ ...spec.options, ...COMMON }).map(([name, option]): [string, string] => [
    `${option.short ? `-${option.short}, ` : ''}--${name}${option.value ? ` ${option.value}` : ''}`,
    option.help,
  ]);
  const width = Math.max(...rows.map(([left]) => left.length));
  return [
    `${spec.name}: ${spec.summary}`,
    '',
    `usage: ${spec.name} ${spec.usage}`,
    '',
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`),
    '',
    'examples:',
    ...spec.examples.map((example) => `  ${example}`),
    '',
    'exit codes: 0 done, 1 failed, 2 wrong usage, 3 could not run',
    '',
  ].join('\n');
}
