/** `ghostpipe-audit return`: gives the relay what the archive signed, so that it may let go of what the archive holds. */
import type { Json } from '../../protocol/canonical.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
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
    let gone = 0;
    try {
      for (const file of files) {
        const head = await giveOne(relay, folder.read(file)!);
        if (head) heads.push(head);
        else gone += 1;
      }
    } finally {
      relay.close();
    }
    if (args.flag('json')) printJson({ ok: true, heads, gone });
    else {
      const rest = gone > 0 ? ` ${gone} are of epochs that it has let go of, and need not go there.` : '';
      process.stdout.write(`The relay took ${heads.length} cosigned heads.${rest}\n`);
    }
    return EXIT.ok;
  });
}

/** What the relay says of a head; null when it no longer keeps the epoch. */
async function giveOne(relay: RelayClient, checkpoint: Uint8Array): Promise<Json | null> {
  try {
    return await relay.giveCosigned(checkpoint);
  } catch (thrown) {
    if (asProblem(thrown).code === 'log-missing') return null;
    throw thrown;
  }
}
