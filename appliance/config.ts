/**
 * `config`: what the device does first. It reads the card, and renders what all that comes after needs, or, when anything
 * is not as it should be, the safe state: no relay, no network, and the reason in plain words.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nativeEngine } from '../protocol/engine/native.ts';
import { asProblem, Problem } from '../protocol/problem.ts';
import {
  type Arguments,
  type CommandSpec,
  EXIT,
  type OptionSpec,
  printJson,
  runCommand,
} from '../tools/lib/command.ts';
import { type Card, readCard } from './card.ts';
import { CARD, CONSOLE, DEVICE, RUN } from './layout.ts';
import { interfaceName, readImageFacts, rootHash } from './machine.ts';
import { closedFirewallFile } from './network.ts';
import { type Outcome, writeOutcome } from './outcome.ts';
import { render } from './render.ts';

/** Where everything is; what is not given is where the device has it. */
const PLACES = {
  card: { value: CARD.mountPoint, help: 'where the partition is mounted' },
  run: { value: DEVICE.run, help: 'where to write what is needed until the power goes' },
  store: { value: DEVICE.store, help: 'tmpfs for blocks and the journal of the audit log' },
  stick: { value: DEVICE.stick, help: 'folder of the audit log on a stick' },
  image: { value: DEVICE.image, help: 'what the image says of itself' },
  'command-line': { value: DEVICE.kernelCommandLine, help: "the kernel's command line" },
  interfaces: { value: DEVICE.networkInterfaces, help: 'the network interfaces as the kernel lists them' },
  accounts: { value: DEVICE.accounts, help: 'the passwd file' },
  synchronized: { value: DEVICE.synchronized, help: 'exists once a time server has set the clock' },
} as const;

const SPEC: CommandSpec = {
  name: 'ghostpipe-appliance config',
  summary: 'read the card once, verify it, and render configuration, network and firewall, or the safe state',
  usage: '[OPTIONS]',
  options: Object.fromEntries(
    Object.entries(PLACES).map(([name, { value, help }]): [string, OptionSpec] => [
      name,
      { type: 'string', value: 'PATH', help: `${help} (default: ${value})` },
    ]),
  ),
  examples: ['ghostpipe-appliance config', 'ghostpipe-appliance config --card ./card --run ./run --json'],
};

/** Exit 0 for the safe state too: it is what was to be done. */
export function config(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const outcome = configure(args);
    writeOutcome(at(args, 'run'), outcome);
    if (args.flag('json')) printJson({ ok: true, ...outcome });
    else process.stdout.write(`${sentence(outcome)}\n`);
    return EXIT.ok;
  });
}

/** What a boot found in one line. */
export function sentence(outcome: Outcome): string {
  if (outcome.state === 'safe') return `${CONSOLE.safe}${outcome.fact} [${outcome.code}]. ${outcome.mend}`;
  const { siteName, configVersion, rosterVersion } = outcome;
  return `ghostpipe: relay of site ${siteName}, configuration ${configVersion}, roster ${rosterVersion}`;
}

function configure(args: Arguments): Outcome {
  const run = at(args, 'run');
  rmSync(join(run, RUN.folder), { recursive: true, force: true });
  let card: Card | null = null;
  try {
    card = readCard(nativeEngine, at(args, 'card'));
    return renderAll(args, card);
  } catch (thrown) {
    return makeSafe(run, card, asProblem(thrown));
  } finally {
    card?.seed.fill(0);
  }
}

function renderAll(args: Arguments, card: Card): Outcome {
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
    interfaces: interfaces.map((each) => ({ ...each, device: interfaceName(each, at(args, 'interfaces')) })),
  });
}

/** Whatever was rendered goes: nothing but the closed firewall and the reason stays. */
function makeSafe(run: string, card: Card | null, { code, detail, mend }: Problem): Outcome {
  for (const name of [RUN.folder, RUN.networkd, RUN.timesyncd])
    rmSync(join(run, name), { recursive: true, force: true });
  mkdirSync(join(run, dirname(RUN.firewall)), { recursive: true, mode: 0o755 });
  writeFileSync(join(run, RUN.firewall), closedFirewallFile(), { mode: 0o644 });
  const known = card && {
    siteName: card.roster.siteName,
    configVersion: card.config.version,
    rosterVersion: card.roster.version,
  };
  return { v: 1, state: 'safe', code, fact: detail.slice(0, 4096), mend, ...known };
}

function at(args: Arguments, name: keyof typeof PLACES): string {
  return args.text(name) ?? PLACES[name].value;
}
