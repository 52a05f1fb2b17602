/** Everything that a device's client stands on, opened from its folders: profile, enrolment, directory, relay. */
import { join } from 'node:path';
import type { Engine } from '../../protocol/engine/engine.ts';
import { Problem } from '../../protocol/problem.ts';
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

/** Where a client keeps what holds the relay to its word about its audit log. */
export const LOG_RECEIPT_OPTION: Readonly<Record<string, OptionSpec>> = {
  'log-receipts': { type: 'string', value: 'DIR', help: 'keep log receipts for ghostpipe-audit verify --receipts DIR' },
};

/** Options that make a client a service. */
export const DAEMON_OPTIONS: Readonly<Record<string, OptionSpec>> = {
  check: { type: 'boolean', help: 'look whether everything is there to run, say what was found, and end' },
  metrics: { type: 'string', value: '[ADDRESS:]PORT', help: 'serve figures for Prometheus, on loopback only' },
};

export interface Client {
  readonly engine: Engine;
  /** As they were read last. */
  readonly profile: Profile;
  readonly enrolment: Enrolment;
  readonly directory: Directory;
  readonly membership: Membership;
  readonly relay: RelayClient;
  /** Folder of what this device remembers. */
  readonly state: string;
  /**
   * Reads profile, API key, enrolment and its roster again, and goes on with them; to be called while no exchange is
   * under way. Refuses what cannot be read, another site and another identity, and changes nothing then.
   */
  reload(): void;
}

/** Opens the client of the device that the options name; refuses with the first thing that is missing. */
export function openClient(engine: Engine, args: Arguments): Client {
  if (args.text('key') !== undefined) {
    process.stderr.write('warning: --key can be seen by other users of this host; use --key-file or GHOSTPIPE_KEY\n');
  }
  let { profile, enrolment } = readSetup(engine, args);
  const state = join(args.text('state-dir') ?? stateFolder(), profile.siteId, enrolment.device.name);
  const directory = new Directory(engine, profile, state, enrolment.rosterBytes);
  const relay = new RelayClient({
    ...peerSettings(profile, enrolment),
    uniformMs: directory.roster.profile.intervalMs,
    idleTimeoutMs: idleTimeoutFor(directory.roster.profile.intervalMs),
  });
  const membership = new Membership(relay, enrolment, directory);
  return {
    engine,
    get profile() {
      return profile;
    },
    get enrolment() {
      return enrolment;
    },
    directory,
    membership,
    relay,
    state,
    reload: () => {
      const next = readSetup(engine, args);
      refuseOther('site', profile.siteId, next.profile.siteId);
      refuseOther('operator', profile.operatorKeyHash, next.profile.operatorKeyHash);
      refuseOther('device', enrolment.device.did, next.enrolment.device.did);
      directory.acceptEnrolled(next.enrolment.rosterBytes);
      ({ profile, enrolment } = next);
      relay.use(peerSettings(profile, enrolment));
      membership.use(enrolment);
    },
  };
}

interface Setup {
  readonly profile: Profile;
  readonly enrolment: Enrolment;
}

function readSetup(engine: Engine, args: Arguments): Setup {
  const config = args.text('config-dir') ?? configFolder();
  const profile = readProfile(config, args.text('relay') ?? 'iot');
  const name = requiredOption(args, 'device-id');
  return { profile, enrolment: readEnrolment(engine, deviceFolder(config, name), givenApiKey(args)) };
}

function peerSettings({ url, relayPins }: Profile, { apiKey }: Enrolment) {
  return { url, pins: relayPins, apiKey };
}

function refuseOther(what: string, before: string, now: string): void {
  if (before === now) return;
  throw new Problem('config-invalid', `the ${what} was ${before} and is now ${now}: that takes a restart`);
}

/** The API key by option, file or environment; undefined leaves it to the enrolment. */
function givenApiKey(args: Arguments): string | undefined {
  const written = args.text('key');
  if (written !== undefined) return checkApiKey(written, '--key');
  const file = args.text('key-file');
  if (file !== undefined) return readApiKey(file);
  const variable = process.env.GHOSTPIPE_KEY;
  return variable === undefined ? undefined : checkApiKey(variable, 'GHOSTPIPE_KEY');
}
