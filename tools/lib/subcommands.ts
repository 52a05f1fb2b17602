/** A tool of several commands: its first word names one, and each has its own options and help. */
import { Problem } from '../../protocol/problem.ts';
import { type CommandSpec, runCommand } from './command.ts';

/** By its word: runs a command with the words that follow, and gives the exit code. */
export type Subcommands = Readonly<Record<string, (argv: readonly string[]) => Promise<number>>>;

/** Runs the subcommand that the first word names; gives the exit code. Without one: help, version, or a refusal `usage`. */
export function runSubcommand(
  spec: Pick<CommandSpec, 'name' | 'summary' | 'examples'>,
  subcommands: Subcommands,
  argv: readonly string[],
): Promise<number> {
  const [word, ...rest] = argv;
  const subcommand = word !== undefined && Object.hasOwn(subcommands, word) ? subcommands[word] : undefined;
  if (subcommand) return subcommand(rest);
  const names = Object.keys(subcommands).join(' | ');
  const whole = { ...spec, usage: `${names} ...   (each has --help)`, options: {}, maxPositionals: 1 };
  return runCommand(whole, argv, async ({ positionals: [unknown] }) => {
    const fact = unknown === undefined ? 'a subcommand is missing' : `"${unknown}" is not a subcommand`;
    throw new Problem('usage', `${fact} (${names})`);
  });
}
