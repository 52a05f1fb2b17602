/** `ghostpipe status`: what a relay says of itself and its devices, over its management listener. */
import { Problem } from '../../protocol/problem.ts';
import { pinText } from '../../protocol/shapes.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { configFolder } from '../lib/paths.ts';
import { readProfile } from '../lib/profile.ts';
import { RelayClient, type RelayClientOptions } from '../lib/relay-client.ts';
import { SITE_OPTIONS, siteFolderPath, usageCheck } from '../provision/options.ts';
import { readSettings, urlText } from '../provision/site-folder.ts';
import { parseStatus, type SiteStatus, statusText } from './status-text.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe status',
  summary: 'ask a relay whether it is ready, what it holds, and when each device was last heard',
  usage: '[--dir DIR | --relay PROFILE [--config-dir DIR] | --url URL --pin PIN]',
  options: {
    ...SITE_OPTIONS,
    relay: { type: 'string', value: 'PROFILE', help: 'relay profile of a device of the management zone' },
    'config-dir': { type: 'string', value: 'DIR', help: 'where that profile is (default: ~/.config/ghostpipe)' },
    url: { type: 'string', value: 'URL', help: 'management address of the relay, as https://10.30.0.1:3002' },
    pin: { type: 'string', multiple: true, value: 'PIN', help: 'pin of the relay at that address; repeatable' },
  },
  examples: ['ghostpipe status', 'ghostpipe status --dir ./plant-1 --json', 'watch ghostpipe status --relay iot'],
  couldNotRun: [
    'relay-unreachable',
    'pin-mismatch',
    'tls-group',
    'not-available',
    'relay-answer-invalid',
    'redirect-refused',
  ],
};

/** Exit code 0 when the relay is ready, 1 when it is not, 3 when it could not be asked. */
export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const status = await ask(addressOf(args));
    const ok = status.status === 'ready';
    if (args.flag('json')) printJson({ ok, ...status });
    else process.stdout.write(statusText(status));
    return ok ? EXIT.ok : EXIT.failed;
  });
}

async function ask(address: RelayClientOptions): Promise<SiteStatus> {
  const relay = new RelayClient(address);
  try {
    return parseStatus(await relay.siteStatus());
  } finally {
    relay.close();
  }
}

/** Where the relay is and who must answer: as given, of a profile, or of the operator's folder. */
function addressOf(args: Arguments): RelayClientOptions {
  const [url, pins, profile] = [args.text('url'), args.texts('pin'), args.text('relay')];
  if ((url === undefined) !== (pins.length === 0)) throw new Problem('usage', '--url and --pin go together');
  if (url !== undefined)
    return { url: usageCheck(urlText, url, '--url'), pins: pins.map((pin) => usageCheck(pinText, pin, '--pin')) };
  if (profile !== undefined) {
    const found = readProfile(args.text('config-dir') ?? configFolder(), profile);
    return { url: found.url, pins: found.relayPins };
  }
  const { urls, relayPins } = readSettings(siteFolderPath(args));
  return { url: urls.management, pins: relayPins };
}
