/** `ghostpipe-audit`: what an auditor does with the relay's log, one subcommand a file. */
import { Problem } from '../../protocol/problem.ts';
import { runCommand } from '../lib/command.ts';
import { archive } from './archive.ts';
import { cosigner } from './cosigner.ts';
import { exportLog } from './export.ts';
import { prove } from './prove.ts';
import { report } from './report.ts';
import { returnInbox } from './return.ts';
import { search } from './search.ts';
import { show } from './show.ts';
import { verify } from './verify.ts';
import { watch } from './watch.ts';

const SUBCOMMANDS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  export: exportLog,
  verify,
  show,
  search,
  prove,
  report,
  archive,
  watch,
  cosigner,
  return: returnInbox,
};
const NAMES = Object.keys(SUBCOMMANDS).join(' | ');

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  const [word, ...rest] = argv;
  const subcommand = word !== undefined && Object.hasOwn(SUBCOMMANDS, word) ? SUBCOMMANDS[word] : undefined;
  return subcommand ? subcommand(rest) : runCommand(SPEC, argv, async ({ positionals }) => refuse(positionals[0]));
}

const SPEC = {
  name: 'ghostpipe-audit',
  summary: "export the relay's audit log, verify it, and look into it",
  usage: `${NAMES} ...   (each has --help)`,
  options: {},
  examples: ['ghostpipe-audit export --to ./audit --device-id auditor', 'ghostpipe-audit verify ./audit'],
  maxPositionals: 1,
} as const;

function refuse(word: string | undefined): never {
  const fact = word === undefined ? 'a subcommand is missing' : `"${word}" is not a subcommand`;
  throw new Problem('usage', `${fact} (${NAMES})`);
}
