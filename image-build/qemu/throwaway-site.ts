/** A site that exists for one boot: made and written into a copy of the image by the operator's own commands. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { Problem } from '../../protocol/problem.ts';
import { ROOT } from '../bundle.ts';
import { copyDrive } from './drive.ts';

/** The address that a guest has behind QEMU's own network. */
const ADDRESS = '10.0.2.15';
const MAC = '52:54:00:67:70:02';

/** The network card of the machine that the site is for. */
export const CARD = { mac: MAC, forwards: [] } as const;

/** A copy of `image` in `folder` with a site on its card; refuses `image-build-failed` with the words of the command. */
export function siteOnCopy(image: string, folder: string): string {
  const [site, config, drive] = [join(folder, 'site'), join(folder, 'appliance.yaml'), join(folder, 'drive.img')];
  provision(
    'site',
    'boot',
    '--url',
    `https://${ADDRESS}:3000`,
    '--block-size',
    '262144',
    '--interval',
    '5',
    '--dir',
    site,
  );
  const zones = ['ot', 'it', 'management'];
  writeFileSync(config, stringify({ board: 'vm', interfaces: [{ zones, mac: MAC, address: `${ADDRESS}/24` }] }));
  copyDrive(image, drive);
  provision('image', drive, '--config', config, '--dir', site);
  return drive;
}

function provision(...words: readonly string[]): void {
  const program = join(ROOT, 'bin', 'ghostpipe-provision');
  const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status === 0) return;
  throw new Problem('image-build-failed', `ghostpipe-provision ${words[0]} ended with ${status}: ${stderr.trim()}`);
}
