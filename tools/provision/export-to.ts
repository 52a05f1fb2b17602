/** `ghostpipe-provision export-to`: whose key the exports of the audit log are sealed to. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { readAuditorPublicKey } from '../lib/auditor-key-file.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { openSite, SITE_OPTIONS } from './options.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision export-to',
  summary: 'seal exports of the audit log to an auditor: profiles that are written from now on have the key',
  usage: 'FILE | --remove   (FILE is the .pub file of "ghostpipe-audit auditor-key")',
  options: { remove: { type: 'boolean', help: 'exports are in clear again' }, ...SITE_OPTIONS },
  examples: ['ghostpipe-provision export-to auditor.json.pub', 'ghostpipe-provision export-to --remove'],
  maxPositionals: 1,
};

export function exportTo(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [file] = args.positionals;
    if (args.flag('remove') === (file !== undefined)) throw new Problem('usage', 'give either FILE or --remove');
    const key = file === undefined ? null : readAuditorPublicKey(file);
    const site = openSite(nativeEngine, args);
    site.setExportTo(key);
    if (args.flag('json')) printJson({ ok: true, sealed: key !== null });
    else {
      const next = '"ghostpipe-provision profile --zone management" writes it for those that are enrolled already';
      process.stdout.write(`Exports of the audit log are ${key ? `sealed to ${file}` : 'in clear'}.\n  ${next}\n`);
    }
    return EXIT.ok;
  });
}
