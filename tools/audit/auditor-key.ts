/** `ghostpipe-audit auditor-key`: the key that exports are sealed to. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { makeAuditorKey } from '../lib/auditor-key-file.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit auditor-key',
  summary: 'make the key that exports are sealed to: FILE stays with the auditor, FILE.pub goes to who exports',
  usage: '--out FILE',
  options: { out: { type: 'string', value: 'FILE', help: 'file of the secret key; neither may be there yet' } },
  examples: ['ghostpipe-audit auditor-key --out /etc/ghostpipe-audit/auditor.json'],
};

export function auditorKey(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const file = requiredOption(args, 'out');
    const publicFile = makeAuditorKey(nativeEngine, file);
    if (args.flag('json')) printJson({ ok: true, file, publicFile });
    else {
      process.stdout.write(
        `${file} opens what is sealed to ${publicFile}. Keep a copy: without it nobody reads the exports.\n`,
      );
    }
    return EXIT.ok;
  });
}
