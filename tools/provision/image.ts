/** `ghostpipe-provision image`: writes a site into the image of an appliance, signed, without root. */
import { join } from 'node:path';
import { configHash } from '../../protocol/boot-statement.ts';
import { utf8 } from '../../protocol/bytes.ts';
import type { RelayConfig } from '../../protocol/config.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { check } from '../../protocol/shape.ts';
import {
  type ApplianceSettings,
  applianceSettings,
  CARD_FILES,
  refuseContradictions,
  type SiteConfig,
} from '../../protocol/site-config.ts';
import { toBase64Url } from '../../protocol/text.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { readYamlFile } from '../lib/yaml-file.ts';
import { writeCard } from './image/card-writer.ts';
import { cardPartition } from './image/partition.ts';
import { openSite, SITE_OPTIONS } from './options.ts';
import { readRelayFile } from './plan/relay-file.ts';
import { readSeed, type SiteFolder } from './site-folder.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision image',
  summary: 'write the site into the image of an appliance: signed configuration, roster, identity of the relay',
  usage: 'FILE --config SITE.YAML [--out FILE] [--dir DIR]',
  options: {
    config: { type: 'string', value: 'SITE.YAML', help: 'board, interfaces and the rest: docs/appliance.md' },
    out: { type: 'string', value: 'FILE', help: 'write a new image there and leave FILE as it is' },
    ...SITE_OPTIONS,
  },
  examples: [
    'ghostpipe-provision image ghostpipe-vm.img --config site.yaml',
    'ghostpipe-provision image ghostpipe-pi4.img --config site.yaml --out card.img --json',
  ],
  maxPositionals: 1,
  couldNotRun: ['not-an-image', 'tool-missing'],
};

export function image(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [file] = args.positionals;
    if (file === undefined) throw new Problem('usage', 'FILE is missing: the image of an appliance');
    const out = args.text('out') ?? file;
    const site = openSite(nativeEngine, args);
    const settings = readSettings(requiredOption(args, 'config'), site);
    cardPartition(file); // before a version is spent on it
    const { version, hash } = writeSite(site, settings, file, out);
    const { board } = settings.appliance;
    if (args.flag('json')) {
      printJson({ ok: true, image: out, version, hash, board, rosterVersion: site.roster.version });
    } else {
      const lines = [
        `${out} is the relay of site ${site.settings.name}, for a board ${board}`,
        `  configuration ${version}, hash ${hash}: the first record of its log says the same`,
        '  it holds the identity of the relay in plain text: keep it as you keep the site folder, and delete it once flashed',
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return EXIT.ok;
  });
}

type Settings = Pick<SiteConfig, 'appliance' | 'relay'>;

/** Both parts of the configuration, held against each other; refuses `config-invalid` with the line of SITE.YAML. */
function readSettings(path: string, site: SiteFolder): Settings {
  const relay = readRelayFile(site.path, site.settings);
  const appliance = readYamlFile(path, (value) => {
    const written = check(applianceSettings, value);
    const complete: ApplianceSettings = { ...written, audit: written.audit ?? auditOf(relay) };
    refuseContradictions(complete, relay.listeners);
    return complete;
  });
  return { appliance, relay: portable(relay) };
}

function auditOf({ audit: { mode, ramMiB, pruneQuorum } }: RelayConfig): NonNullable<ApplianceSettings['audit']> {
  return { mode, ramMiB, pruneQuorum };
}

/** The relay's configuration without what the appliance knows itself. */
function portable({ name, licenceKey, listeners, store, limits, logLevel, ...more }: RelayConfig): Settings['relay'] {
  const licence = licenceKey === null ? {} : { licenceKey };
  const notice = more.useNotice === null ? {} : { useNotice: more.useNotice };
  return { name, ...licence, ...notice, listeners, store: { slots: store.slots }, limits, logLevel };
}

function writeSite(site: SiteFolder, settings: Settings, file: string, out: string) {
  const seed = readSeed(join(site.path, 'relay', 'identity-seed'));
  const { version, bytes } = site.signAppliance(settings);
  const files = new Map([
    [CARD_FILES.config.name, bytes],
    [CARD_FILES.roster.name, site.rosterBytes],
    [CARD_FILES.operatorPin.name, utf8(`${site.settings.operatorKeyHash}\n`)],
    [CARD_FILES.seed.name, utf8(`${toBase64Url(seed)}\n`)],
  ]);
  writeCard(file, out, files);
  return { version, hash: configHash(nativeEngine, seed, bytes) };
}
