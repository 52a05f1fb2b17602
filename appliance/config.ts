/**
 * `config`: what the device does first. It reads the card, and renders what all that comes after needs, or, when anything
 * is not as it should be, the safe state: no relay, no network, and the reason in plain words.
 */
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeEngine } from '../protocol/engine/native.ts';
import { asProblem, Problem } from '../protocol/problem.ts';
import type { NetworkInterface } from '../protocol/site-config.ts';
import {
  type Arguments,
  type CommandSpec,
  EXIT,
  numberOption,
  type OptionSpec,
  printJson,
  runCommand,
} from '../tools/lib/command.ts';
import { type Card, readCard } from './card.ts';
import { CARD, CONSOLE, DEVICE, RUN } from './layout.ts';
import { interfaceName, readImageFacts, rootHash } from './machine.ts';
import { closedFirewallFile, type NamedInterface } from './network.ts';
import { type Outcome, writeOutcome } from './outcome.ts';
import { render } from './render.ts';
import { pageListeners, renderStatusPage } from './status-page.ts';

/** How often to look for an adapter. */
const LOOK_MS = 200;

/** Where everything is; what is not given is where the device has it. */
const PLACES = {
  card: { value: CARD.mountPoint, help: 'where the partition is mounted' },
  run: { value: DEVICE.run, help: 'where to write what is needed until the power goes' },
  store: { value: DEVICE.store, help: 'tmpfs for blocks and the journal of the audit log' },
  stick: { value: DEVICE.stick, help: 'folder of the audit log on a stick' },
  image: { value: DEVICE.image, help: 'what the image says of itself' },
  'command-line': { value: DEVICE.kernelCommandLine, help: "the kernel's command line" },
  interfaces: { value: DEVICE.networkInterfaces, help: 'the network interfaces as the kernel lists them' },
  udev: { value: DEVICE.udev, help: 'what udev knows of each device that it is done with' },
  accounts: { value: DEVICE.accounts, help: 'the passwd file' },
  synchronized: { value: DEVICE.synchronized, help: 'exists once a time server has set the clock' },
} as const;

const SPEC: CommandSpec = {
  name: 'ghostpipe-appliance config',
  summary: 'read the card once, verify it, and render configuration, network and firewall, or the safe state',
  usage: '[OPTIONS]',
  options: {
    ...Object.fromEntries(
      Object.entries(PLACES).map(([name, { value, help }]): [string, OptionSpec] => [
        name,
        { type: 'string', value: 'PATH', help: `${help} (default: ${value})` },
      ]),
    ),
    patience: { type: 'string', value: 'SECONDS', help: 'wait so long for network interfaces (default: 20)' },
  },
  examples: ['ghostpipe-appliance config', 'ghostpipe-appliance config --card ./card --run ./run --json'],
};

/** Exit 0 for the safe state too: it is what was to be done. */
export function config(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    process.umask(0o022); // what is private says so itself
    const outcome = await configure(args);
    writeOutcome(at(args, 'run'), outcome);
    if (args.flag('json')) printJson({ ok: true, ...outcome });
    else process.stdout.write(`${sentence(outcome)}\n`);
    return EXIT.ok;
  });
}

/** What a boot found, in one line; before it the notice, where there is one. */
export function sentence(outcome: Outcome): string {
  if (outcome.state === 'safe') return `${CONSOLE.safe}${outcome.fact} [${outcome.code}]. ${outcome.mend}`;
  const { siteName, configVersion, rosterVersion, notice } = outcome;
  return `${notice === undefined ? '' : `${notice}\n`}ghostpipe: relay of site ${siteName}, configuration ${configVersion}, roster ${rosterVersion}`;
}

async function configure(args: Arguments): Promise<Outcome> {
  const run = at(args, 'run');
  clear(run);
  let card: Card | null = null;
  try {
    card = readCard(nativeEngine, at(args, 'card'));
    return await renderAll(args, card);
  } catch (thrown) {
    return makeSafe(args, card, asProblem(thrown));
  } finally {
    card?.seed.fill(0);
  }
}

async function renderAll(args: Arguments, card: Card): Promise<Outcome> {
  const { board, interfaces } = card.config.appliance;
  const image = readImageFacts(at(args, 'image'));
  if (image.board !== board) {
    throw new Problem('board-mismatch', `the image is for ${image.board}, the configuration for ${board}`);
  }
  return render(card, {
    engine: nativeEngine,
    run: at(args, 'run'),
    store: at(args, 'store'),
    stick: at(args, 'stick'),
    synchronized: at(args, 'synchronized'),
    accounts: at(args, 'accounts'),
    image,
    rootHash: rootHash(at(args, 'command-line')),
    interfaces: await namedInterfaces(args, interfaces),
  });
}

/** Adapters appear one after the other: waits for those that are missing, then refuses `interface-missing`. */
async function namedInterfaces(args: Arguments, wanted: readonly NetworkInterface[]): Promise<NamedInterface[]> {
  const places = { interfaces: at(args, 'interfaces'), udev: at(args, 'udev') };
  const untilMs = performance.now() + (numberOption(args, 'patience', 0, 600) ?? 20) * 1000;
  for (;;) {
    try {
      return wanted.map((each) => ({ ...each, device: interfaceName(each, places) }));
    } catch (thrown) {
      if (asProblem(thrown).code !== 'interface-missing' || performance.now() >= untilMs) throw thrown;
      await sleep(LOOK_MS);
    }
  }
}

/** Whatever was rendered goes: what stays is the reason, a closed firewall, and the status page where there can be one. */
function makeSafe(args: Arguments, card: Card | null, { code, detail, mend }: Problem): Outcome {
  const run = at(args, 'run');
  const known = card && {
    siteName: card.roster.siteName,
    configVersion: card.config.version,
    rosterVersion: card.roster.version,
  };
  const outcome: Outcome = { v: 1, state: 'safe', code, fact: detail.slice(0, 2048), mend, ...known };
  clear(run);
  mkdirSync(join(run, dirname(RUN.firewall)), { recursive: true, mode: 0o755 });
  try {
    if (card && pageListeners(card).length > 0) showPage(args, card, sentence(outcome));
  } catch {
    clear(run); // then the console has to do
    mkdirSync(join(run, dirname(RUN.firewall)), { recursive: true, mode: 0o755 });
  }
  if (!existsSync(join(run, RUN.firewall)))
    writeFileSync(join(run, RUN.firewall), closedFirewallFile(), { mode: 0o644 });
  return outcome;
}

function showPage(args: Arguments, card: Card, reason: string): void {
  const wanted = card.config.appliance.interfaces.find(({ zones }) => zones.includes('management'))!;
  const places = { interfaces: at(args, 'interfaces'), udev: at(args, 'udev') };
  const management = { ...wanted, device: interfaceName(wanted, places) };
  renderStatusPage(card, { run: at(args, 'run'), accounts: at(args, 'accounts'), management, reason });
}

/** Nothing of an earlier run stays. */
function clear(run: string): void {
  for (const name of [RUN.folder, RUN.networkd, RUN.timesyncd])
    rmSync(join(run, name), { recursive: true, force: true });
}

function at(args: Arguments, name: keyof typeof PLACES): string {
  return args.text(name) ?? PLACES[name].value;
}
