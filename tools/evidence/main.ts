/** `ghostpipe-evidence`: which requirement is met, how, shown by which check, and what is open. */
import { runSubcommand, type Subcommands } from '../lib/subcommands.ts';
import { bindCommand, lintCommand } from './lint-command.ts';
import { runCheckCommand } from './run-command.ts';
import { selfTestCommand } from './self-test-command.ts';
import { verifyCommand } from './verify-command.ts';

const SUBCOMMANDS: Subcommands = {
  run: runCheckCommand,
  verify: verifyCommand,
  'self-test': selfTestCommand,
  lint: lintCommand,
  bind: bindCommand,
};

const SPEC = {
  name: 'ghostpipe-evidence',
  summary: 'evidence for the requirements of IEC 62443: look, judge, sign, verify',
  examples: [
    'ghostpipe-evidence run --profile sl2 --out ./evidence',
    'ghostpipe-evidence verify ./evidence',
    'ghostpipe-evidence self-test',
    'ghostpipe-evidence lint',
  ],
} as const;

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runSubcommand(SPEC, SUBCOMMANDS, argv);
}
