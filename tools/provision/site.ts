/** `ghostpipe-provision site`: makes the operator key, the first roster and the relay's folder. */
import { DEFAULT_BLOCK_BYTES, isBlockSize } from '../../protocol/block.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import {
  type Arguments,
  type CommandSpec,
  EXIT,
  numberOption,
  printJson,
  requiredOption,
  runCommand,
} from '../lib/command.ts';
import { createSite, DEFAULT_LOG_QUANTUM } from './new-site.ts';
import { nameArgument, SITE_OPTIONS, siteFolderPath, usageCheck } from './options.ts';
import { type SiteUrls, urlText } from './site-folder.ts';

const DEFAULT_INTERVAL_SECONDS = 15;
const DEFAULT_SLOTS = 64;

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision site',
  summary: 'make a site: operator key, first roster, and a folder for the relay',
  usage: 'NAME --url https://HOST:PORT [OPTIONS]',
  options: {
    ...SITE_OPTIONS,
    url: { type: 'string', value: 'URL', help: 'where OT devices reach the relay, as https://10.20.0.1:3000' },
    'it-url': { type: 'string', value: 'URL', help: 'where IT devices reach it (default: the same host, next port)' },
    'management-url': { type: 'string', value: 'URL', help: 'where operators reach it (default: the port after that)' },
    interval: { type: 'string', value: 'SECONDS', help: 'one block per device in this time (default: 15)' },
    'block-size': { type: 'string', value: 'BYTES', help: 'bytes of every block (default: 5242880)' },
    slots: { type: 'string', value: 'N', help: 'blocks that the relay holds in RAM at most (default: 64)' },
    'log-quantum': { type: 'string', value: 'N', help: 'audit records each 30 s, 1 for no filling (default: 256)' },
  },
  examples: [
    'ghostpipe-provision site plant-1 --url https://10.20.0.1:3000',
    'ghostpipe-provision site plant-1 --url https://10.20.0.1:3000 --it-url https://192.168.7.2:3000',
  ],
  maxPositionals: 1,
};

export function site(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const { path, settings } = createSite(nativeEngine, siteFolderPath(args), {
      name: nameArgument(args),
      urls: urlsOf(args),
      blockSize: blockSizeOf(args),
      intervalMs: Math.round((numberOption(args, 'interval', 0.1, 3600) ?? DEFAULT_INTERVAL_SECONDS) * 1000),
      slots: Math.trunc(numberOption(args, 'slots', 1, 4096) ?? DEFAULT_SLOTS),
      logQuantum: Math.trunc(numberOption(args, 'log-quantum', 1, 65_536) ?? DEFAULT_LOG_QUANTUM),
    });
    if (args.flag('json')) {
      printJson({ ok: true, folder: path, ...settings });
      return EXIT.ok;
    }
    const lines = [
      `Site ${settings.name} (${settings.siteId}) is in ${path}`,
      `  operator  ${settings.operatorKeyHash}`,
      `  relay     ${settings.relayPins[0]}`,
      '',
      `Keep ${path}/operator-seed safe: who has it decides who belongs to the site.`,
      'Next:',
      `  copy ${path}/relay to the relay's host, keeping modes, and there: ghostpipe-relay --config relay/relay.yaml`,
      `  ghostpipe-provision device historian --role receive --zone it --dir ${path}`,
      `  ghostpipe-provision device plc-A1 --role send --zone ot --to historian --dir ${path}`,
    ];
    process.stdout.write(`${lines.join('\n')}\n`);
    return EXIT.ok;
  });
}

/** The three addresses; those that are not given follow from the first. */
function urlsOf(args: Arguments): SiteUrls {
  const ot = usageCheck(urlText, requiredOption(args, 'url'), '--url');
  const { hostname, port } = new URL(ot);
  const next = (distance: number) => `https://${hostname}:${Number(port || 443) + distance}`;
  const given = (name: string, otherwise: string) => usageCheck(urlText, args.text(name) ?? otherwise, `--${name}`);
  return { ot, it: given('it-url', next(1)), management: given('management-url', next(2)) };
}

function blockSizeOf(args: Arguments): number {
  const bytes = Number(args.text('block-size') ?? DEFAULT_BLOCK_BYTES);
  if (!isBlockSize(bytes)) {
    throw new Problem('usage', `--block-size must be a multiple of 65536 from 65536 to 16777216, not "${bytes}"`);
  }
  return bytes;
}
