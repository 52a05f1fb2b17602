/** `ghostpipe-appliance`: the programs of the device, one subcommand a file. Its units run them, nobody else. */
import { runSubcommand, type Subcommands } from '../tools/lib/subcommands.ts';
import { config } from './config.ts';
import { ready } from './ready.ts';
import { safe } from './safe.ts';
import { scrub } from './scrub.ts';

const SUBCOMMANDS: Subcommands = { config, ready, safe, scrub };

const SPEC = {
  name: 'ghostpipe-appliance',
  summary: 'what the appliance does at boot and while it runs',
  examples: ['ghostpipe-appliance config', 'ghostpipe-appliance ready'],
} as const;

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runSubcommand(SPEC, SUBCOMMANDS, argv);
}

if (import.meta.main)
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
