/** `ghostpipe-provision`: what an operator does to a site, one subcommand a file. */
import { Problem } from '../../protocol/problem.ts';
import { runCommand } from '../lib/command.ts';
import { cosigner } from './cosigner.ts';
import { device } from './device.ts';
import { list } from './list.ts';
import { plan } from './plan.ts';
import { profile } from './profile.ts';
import { publish } from './publish.ts';
import { replaceDevice } from './replace-device.ts';
import { replaceRelay } from './replace-relay.ts';
import { revoke } from './revoke.ts';
import { rotate } from './rotate.ts';
import { site } from './site.ts';

const SUBCOMMANDS: Readonly<Record<string, (argv: readonly string[]) => Promise<number>>> = {
  site,
  device,
  list,
  revoke,
  rotate,
  'replace-device': replaceDevice,
  'replace-relay': replaceRelay,
  cosigner,
  profile,
  publish,
  plan,
};
const NAMES = Object.keys(SUBCOMMANDS).join(' | ');

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  const [word, ...rest] = argv;
  const subcommand = word !== undefined && Object.hasOwn(SUBCOMMANDS, word) ? SUBCOMMANDS[word] : undefined;
  return subcommand ? subcommand(rest) : runCommand(SPEC, argv, async ({ positionals }) => refuse(positionals[0]));
}

const SPEC = {
  name: 'ghostpipe-provision',
  summary: 'make a site, enrol its devices, revoke and replace them, plan its zones',
  usage: `${NAMES} ...   (each has --help)`,
  options: {},
  examples: [
    'ghostpipe-provision site plant-1 --url https://10.20.0.1:3000',
    'ghostpipe-provision device historian --role receive --zone it --out ./historian',
    'ghostpipe-provision device plc-A1 --role send --zone ot --to historian --out ./plc-A1',
    'ghostpipe-provision list',
  ],
  maxPositionals: 1,
} as const;

function refuse(word: string | undefined): never {
  const fact = word === undefined ? 'a subcommand is missing' : `"${word}" is not a subcommand`;
  throw new Problem('usage', `${fact} (${NAMES})`);
}
