/** `ghostpipe-audit`: what an auditor does with the relay's log, one subcommand a file. */
import { runSubcommand, type Subcommands } from '../lib/subcommands.ts';
import { archive } from './archive.ts';
import { auditorKey } from './auditor-key.ts';
import { cosigner } from './cosigner.ts';
import { exportLog } from './export.ts';
import { prove } from './prove.ts';
import { report } from './report.ts';
import { returnInbox } from './return.ts';
import { search } from './search.ts';
import { show } from './show.ts';
import { verify } from './verify.ts';
import { watch } from './watch.ts';

const SUBCOMMANDS: Subcommands = {
  export: exportLog,
  verify,
  show,
  search,
  prove,
  report,
  archive,
  watch,
  cosigner,
  'auditor-key': auditorKey,
  return: returnInbox,
};

const SPEC = {
  name: 'ghostpipe-audit',
  summary: "export the relay's audit log, verify it, and look into it",
  examples: ['ghostpipe-audit export --to ./audit --device-id auditor', 'ghostpipe-audit verify ./audit'],
} as const;

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runSubcommand(SPEC, SUBCOMMANDS, argv);
}
