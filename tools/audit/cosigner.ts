/** `ghostpipe-audit cosigner`: the key of an archive server, and the words by which the operator names it. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { check } from '../../protocol/shape.ts';
import { originText } from '../../protocol/shapes.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { makeCosignerKey, verifierKeyOf } from './cosigner-key.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit cosigner',
  summary: 'make the key by which an archive server says that it holds the log',
  usage: 'NAME --out FILE',
  options: { out: { type: 'string', value: 'FILE', help: 'file of the key, secret; it must not be there yet' } },
  examples: ['ghostpipe-audit cosigner plant-1-archive --out /etc/ghostpipe-audit/cosigner.json'],
  maxPositionals: 1,
};

export function cosigner(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const name = keyName(args.positionals[0]);
    const file = requiredOption(args, 'out');
    const verifierKey = verifierKeyOf(nativeEngine, makeCosignerKey(nativeEngine, file, name));
    if (args.flag('json')) printJson({ ok: true, name, file, verifierKey });
    else {
      const next = `ghostpipe-provision cosigner ${name} KEY --publish`;
      process.stdout.write(`${file} holds the key of ${name}. The operator names it by "${next}", with this KEY:\n`);
      process.stdout.write(`${verifierKey}\n`);
    }
    return EXIT.ok;
  });
}

function keyName(value: string | undefined): string {
  if (value === undefined) throw new Problem('usage', 'NAME is missing: the name that the archive signs under');
  try {
    return check(originText, value);
  } catch {
    throw new Problem('usage', `NAME: "${value}" must be 1 to 255 printable ASCII characters without spaces and "+"`);
  }
}
