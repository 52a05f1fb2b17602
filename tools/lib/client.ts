/** Everything that a device's client stands on, opened from its folders: profile, enrolment, directory, relay. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { type Arguments, type OptionSpec, requiredOption } from './command.ts';
import { checkApiKey, type Enrolment, readApiKey, readEnrolment } from './device.ts';
import { Directory } from './directory.ts';
import { Membership } from './membership.ts';
import { configFolder, deviceFolder, stateFolder } from './paths.ts';
import { type Profile, readProfile } from './profile.ts';
import { idleTimeoutFor, RelayClient } from './relay-client.ts';

/** Options that sender and receiver have in common. */
export const CLIENT_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  'device-id': { type: 'string', value: 'NAME', help: 'name of this device as it was enrolled' },
  relay: { type: 'string', value: 'PROFILE', help: 'relay profile of the configuration (default: iot)' },
  key: { type: 'string', value: 'KEY', help: 'API key; others on this host can see it, prefer --key-file' },
  'key-file': {
    type: 'string',
    value: 'FILE',
    help: 'file with the API key (default: of the enrolment; or GHOSTPIPE_KEY)',
  },
  'config-dir': { type: 'string', value: 'DIR', help: 'configuration (default: ~/.config/ghostpipe)' },
  'state-dir': { type: 'string', value: 'DIR', help: 'what this device remembers (default: ~/.local/state/ghostpipe)' },
};

export interface Client {
  readonly engine: Engine;
  readonly profile: Profile;
  readonly enrolment: Enrolment;
  readonly directory: Directory;
  readonly membership: Membership;
  readonly relay: RelayClient;
  /** Folder of what this device remembers. */
  readonly state: string;
}

/** Opens the client of the device that the options name; refuses with the first thing that is missing. */
export function openClient(engine: Engine, args: Arguments): Client {
  const config = args.text('config-dir') ?? configFolder();
  const profile = readProfile(config, args.text('relay') ?? 'iot');
  const name = requiredOption(args, 'device-id');
  const enrolment = readEnrolment(engine, deviceFolder(config, name), givenApiKey(args));
  const state = join(args.text('state-dir') ?? stateFolder(), profile.siteId, name);
  const directory = new Directory(engine, profile, state, enrolment.rosterBytes);
  const relay = new RelayClient({
    url: profile.url,
    pins: profile.relayPins,
    apiKey: enrolment.apiKey,
    maxSockets: 1, // a client does one thing at a time: a second connection would only cost one more slot when both die
    idleTimeoutMs: idleTimeoutFor(directory.roster.profile.intervalMs),
  });
  const membership = new Membership(relay, enrolment, directory);
  return { engine, profile, enrolment, directory, membership, relay, state };
}

/** The API key by option, file or environment; undefined leaves it to the enrolment. */
function givenApiKey(args: Arguments): string | undefined {
  const written = args.text('key');
  if (written !== undefined) {
    process.stderr.write('warning: --key can be seen by other users of this host; use --key-file or GHOSTPIPE_KEY\n');
    return checkApiKey(written, '--key');
  }
  const file = args.text('key-file');
  if (file !== undefined) return readApiKey(file);
  const variable = process.env.GHOSTPIPE_KEY;
  return variable === undefined ? undefined : checkApiKey(variable, 'GHOSTPIPE_KEY');
}
