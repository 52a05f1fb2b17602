/** `ghostpipe-evidence`: which requirement is met, how, shown by which check, and what is open. */
import { Problem } from '../../protocol/problem.ts';
import { runCommand } from '../lib/command.ts';
import { bindCommand, lintCommand } from './lint-command.ts';
import { runCheckCommand } from './run-command.ts';
import { selfTestCommand } from './self-test.ts';
import { verifyCommand } from './verify-command.ts';

const SUBCOMMANDS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  run: runCheckCommand,
  verify: verifyCommand,
  'self-test': selfTestCommand,
  lint: lintCommand,
  bind: bindCommand,
};
const NAMES = Object.keys(SUBCOMMANDS).join(' | ');

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  const [word, ...rest] = argv;
  const subcommand = word !== undefined && Object.hasOwn(SUBCOMMANDS, word) ? SUBCOMMANDS[word] : undefined;
  if (subcommand) return subcommand(rest);
  return runCommand(SPEC, argv, async ({ positionals }) => {
    const fact = positionals[0] === undefined ? 'a subcommand is missing' : `"${positionals[0]}" is not a subcommand`;
    throw new Problem('usage', `${fact} (${NAMES})`);
  });
}

const SPEC = {
  name: 'ghostpipe-evidence',
  summary: 'evidence for the requirements of IEC 62443: look, judge, sign, verify',
  usage: `${NAMES} ...   (each has --help)`,
  options: {},
  examples: [
    'ghostpipe-evidence run --profile sl2 --out ./evidence',
    'ghostpipe-evidence verify ./evidence',
    'ghostpipe-evidence self-test',
    'ghostpipe-evidence lint',
  ],
  maxPositionals: 1,
} as const;
