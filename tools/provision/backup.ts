/** `ghostpipe-provision backup` and `restore`: the operator's folder as one signed file, and back. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { SITE_OPTIONS, siteFolderPath } from './options.ts';
import { backUpSite, restoreSite, type SiteBackup } from './site-backup.ts';

const BACKUP: CommandSpec = {
  name: 'ghostpipe-provision backup',
  summary: 'write the whole site to one signed file, and read it back; whoever has it can sign for the site',
  usage: 'FILE [--dir DIR]',
  options: SITE_OPTIONS,
  examples: ['ghostpipe-provision backup /media/safe/plant-1.backup'],
  maxPositionals: 1,
};

const RESTORE: CommandSpec = {
  name: 'ghostpipe-provision restore',
  summary: 'put a backup into a folder that is not there yet, after its site was opened',
  usage: 'FILE --dir DIR',
  options: SITE_OPTIONS,
  examples: ['ghostpipe-provision restore /media/safe/plant-1.backup --dir ./plant-1'],
  maxPositionals: 1,
  couldNotRun: ['already-exists', 'operator-mismatch', 'signature-invalid'],
};

export function backup(argv: readonly string[]): Promise<number> {
  return runCommand(BACKUP, argv, async (args) => {
    const file = fileOf(args);
    return tell(args, `${file} holds`, backUpSite(nativeEngine, siteFolderPath(args), file, Date.now()));
  });
}

export function restore(argv: readonly string[]): Promise<number> {
  return runCommand(RESTORE, argv, async (args) => {
    const [file, folder] = [fileOf(args), siteFolderPath(args)];
    return tell(args, `${folder} is`, restoreSite(nativeEngine, file, folder));
  });
}

function fileOf(args: Arguments): string {
  const [file] = args.positionals;
  if (file === undefined) throw new Problem('usage', 'FILE is missing');
  return file;
}

function tell(args: Arguments, what: string, { siteName, rosterVersion, files, madeMs }: SiteBackup): number {
  const count = Object.keys(files).length;
  if (args.flag('json')) printJson({ ok: true, siteName, rosterVersion, files: count, madeMs });
  else {
    const made = new Date(madeMs).toISOString();
    process.stdout.write(`${what} the site ${siteName} with roster ${rosterVersion}, ${count} files, as of ${made}\n`);
  }
  return EXIT.ok;
}
