/** `npm start`: a relay on this machine with a site of its own, and the commands to paste next. */
import { once } from 'node:events';
import { DEFAULT_BLOCK_BYTES } from '../../protocol/block.ts';
import type { Json } from '../../protocol/canonical.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { type Arguments, type CommandSpec, EXIT, numberOption, printJson, runCommand } from '../lib/command.ts';
import { listenForStop } from '../lib/stop.ts';
import type { DeviceRequest } from '../provision/device.ts';
import { type EphemeralSite, openEphemeralSite } from './ephemeral-site.ts';

const DEFAULT_INTERVAL_SECONDS = 2;
const SLOTS = 16;

/** The devices of a site that is there to be tried. */
export const TRIAL_DEVICES: readonly DeviceRequest[] = [
  { name: 'historian', roles: ['receive'], zone: 'it', to: [], groups: [] },
  { name: 'auditor', roles: ['audit'], zone: 'management', to: [], groups: [] },
  { name: 'plc-A1', roles: ['send'], zone: 'ot', to: ['historian'], groups: [] },
];

const SPEC: CommandSpec = {
  name: 'ghostpipe start',
  summary: 'run a relay with an ephemeral site on this machine until Ctrl-C, and print commands to paste',
  usage: '[--interval SECONDS] [--json]',
  options: {
    interval: { type: 'string', value: 'SECONDS', help: 'one block per device in this time (default: 2)' },
  },
  examples: ['npm start', 'npm start -- --interval 0.5'],
};

/** What can be pasted into terminals that stand in the project folder. */
export interface Commands {
  readonly receiver: string;
  readonly sender: string;
  /** Carries one reading through and ends. */
  readonly check: string;
}

export function main(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const stop = listenForStop();
    const intervalMs = Math.round((numberOption(args, 'interval', 0.1, 3600) ?? DEFAULT_INTERVAL_SECONDS) * 1000);
    const ephemeral = await openEphemeralSite(nativeEngine, {
      name: 'trial',
      blockSize: DEFAULT_BLOCK_BYTES,
      intervalMs,
      slots: SLOTS,
      logLevel: 'warn',
      devices: TRIAL_DEVICES,
    });
    try {
      announce(args, ephemeral, await ephemeral.monitor.health());
      return await untilStopped(ephemeral, stop.asked);
    } finally {
      await ephemeral.close();
      stop.dispose();
    }
  });
}

/** The commands for this site; `check` needs no other terminal. */
export function commandsFor(ephemeral: EphemeralSite): Commands {
  const as = (device: string, tool: string) => {
    const variables = Object.entries(ephemeral.environment(device)).map(([name, value]) => `${name}=${quoted(value)}`);
    return `${variables.join(' ')} ./bin/paramant-${tool} --device-id ${device}`;
  };
  const receiver = as('historian', 'receiver');
  const sender = as('plc-A1', 'sender');
  return {
    receiver,
    sender: `while sleep 1; do cut -d' ' -f1-3 /proc/loadavg; done | ${sender} --stdin`,
    check: `(echo "it works" | ${sender} --stdin --once) & ${receiver} --count 1; wait`,
  };
}

function announce(args: Arguments, ephemeral: EphemeralSite, health: Json): void {
  const { urls, siteId } = ephemeral.site.settings;
  const commands = commandsFor(ephemeral);
  if (args.flag('json')) {
    printJson({ ready: true, folder: ephemeral.folder, siteId, urls, relayPid: ephemeral.relay.pid, health, commands });
    return;
  }
  const { status, rosterVersion } = health as { status?: string; rosterVersion?: number };
  const { blockSize, intervalMs } = ephemeral.site.roster.profile;
  const lines = [
    `Relay: ${status}, roster version ${rosterVersion}; one block of ${blockSize} bytes per device each ${intervalMs / 1000} s.`,
    `  OT ${urls.ot}   IT ${urls.it}   management ${urls.management}`,
    `Site: ${ephemeral.folder} (devices: ${TRIAL_DEVICES.map(({ name }) => name).join(', ')}); it is removed at the end.`,
    '',
    'In a second terminal, in this folder: readings come out',
    `  ${commands.receiver}`,
    'In a third: the load of this machine goes in',
    `  ${commands.sender}`,
    'Or all in one line, to check (prints: it works)',
    `  ${commands.check}`,
    '',
    'Ctrl-C ends the relay.',
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Waits for the stop signal; a relay that ends by itself is a failure. */
async function untilStopped({ relay }: EphemeralSite, asked: AbortSignal): Promise<number> {
  if (!asked.aborted) await Promise.race([once(asked, 'abort'), relay.exited]);
  return asked.aborted ? EXIT.ok : EXIT.failed;
}

/** `text` as one word of a POSIX shell. */
function quoted(text: string): string {
  return /^[\w/.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
