/** `ghostpipe-audit return`: gives the relay what the archive signed, so that it may let go of what the archive holds. */
import { Problem } from '../../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { configFolder } from '../lib/paths.ts';
import { readProfile } from '../lib/profile.ts';
import { RelayClient } from '../lib/relay-client.ts';
import { EpochFolder } from './epoch-folder.ts';
import { PIN_OPTIONS } from './pin-option.ts';
import { folderArgument } from './verify.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit return',
  summary: 'give the relay the cosignatures in the inbox of a folder, as "archive" wrote them',
  usage: 'DIR [OPTIONS]',
  options: { relay: PIN_OPTIONS.relay!, 'config-dir': PIN_OPTIONS['config-dir']! },
  examples: ['ghostpipe-audit return /media/stick --relay management'],
  maxPositionals: 1,
  couldNotRun: ['log-missing'],
};

/** Exit code 0 when the relay took all of it. The signatures authorise it: no API key is needed. */
export function returnInbox(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const folder = new EpochFolder(folderArgument(args));
    const files = folder.cosignatures;
    if (files.length === 0) throw new Problem('log-missing', `${folder.path} has no cosignature in inbox/`);
    const { url, relayPins } = readProfile(args.text('config-dir') ?? configFolder(), args.text('relay') ?? 'iot');
    const relay = new RelayClient({ url, pins: relayPins });
    const heads: unknown[] = [];
    try {
      for (const file of files) heads.push(await relay.giveCosigned(folder.read(file)!));
    } finally {
      relay.close();
    }
    if (args.flag('json')) printJson({ ok: true, heads });
    else process.stdout.write(`The relay took ${heads.length} cosigned heads.\n`);
    return EXIT.ok;
  });
}
