/** `ghostpipe-provision`: what an operator does to a site, one subcommand a file. */
import { runSubcommand, type Subcommands } from '../lib/subcommands.ts';
import { backup, restore } from './backup.ts';
import { cosigner } from './cosigner.ts';
import { device } from './device.ts';
import { exportTo } from './export-to.ts';
import { image } from './image.ts';
import { list } from './list.ts';
import { plan } from './plan.ts';
import { profile } from './profile.ts';
import { publish } from './publish.ts';
import { replaceDevice } from './replace-device.ts';
import { replaceRelay } from './replace-relay.ts';
import { revoke } from './revoke.ts';
import { rotate } from './rotate.ts';
import { site } from './site.ts';

const SUBCOMMANDS: Subcommands = {
  site,
  device,
  list,
  revoke,
  rotate,
  'replace-device': replaceDevice,
  'replace-relay': replaceRelay,
  cosigner,
  'export-to': exportTo,
  profile,
  publish,
  backup,
  restore,
  plan,
  image,
};

const SPEC = {
  name: 'ghostpipe-provision',
  summary: 'make a site, enrol its devices, revoke and replace them, plan its zones, write it into an image',
  examples: [
    'ghostpipe-provision site plant-1 --url https://10.20.0.1:3000',
    'ghostpipe-provision device historian --role receive --zone it --out ./historian',
    'ghostpipe-provision device plc-A1 --role send --zone ot --to historian --out ./plc-A1',
    'ghostpipe-provision list',
  ],
} as const;

/** Runs the subcommand that the first word names; gives the exit code. */
export function main(argv: readonly string[]): Promise<number> {
  return runSubcommand(SPEC, SUBCOMMANDS, argv);
}
