/** `ghostpipe-provision list`: who belongs to the site. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import type { Role, Zone } from '../../protocol/shapes.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { tableLines } from '../lib/table.ts';
import { openSite, SITE_OPTIONS } from './options.ts';
import type { SiteFolder } from './site-folder.ts';

export interface ListedDevice {
  readonly name: string;
  readonly did: string;
  readonly roles: readonly Role[];
  readonly zone: Zone;
  readonly to: readonly string[];
  readonly groups: readonly string[];
  /** Serial of its newest grant. */
  readonly serial: number | null;
}

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision list',
  summary: 'show the devices of the site with zone, roles and route',
  usage: '[--dir DIR]',
  options: SITE_OPTIONS,
  examples: ['ghostpipe-provision list', 'ghostpipe-provision list --json'],
};

export function list(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    const devices = listDevices(site);
    const { siteName, siteId, version, revocations } = site.roster;
    const { logPin } = site.settings;
    if (args.flag('json')) printJson({ ok: true, siteName, siteId, version, logPin, devices, revocations });
    else
      process.stdout.write(
        `Site ${siteName}, roster version ${version}, ${revocations.length} revoked\nLog key of its relay: ${logPin}\n${table(devices)}`,
      );
    return EXIT.ok;
  });
}

/** The devices of the current roster, in its order. */
export function listDevices(site: SiteFolder): readonly ListedDevice[] {
  const { devices, routes, groups } = site.roster;
  return devices.map((device) => ({
    ...device,
    to: routes.find(({ from }) => from === device.name)?.to ?? [],
    groups: Object.keys(groups).filter((group) => groups[group]!.includes(device.name)),
    serial: site.grant(device.name)?.serial ?? null,
  }));
}

function table(devices: readonly ListedDevice[]): string {
  const rows = devices.map((device) => [
    device.name,
    device.zone,
    device.roles.join(','),
    device.to.join(',') || '-',
    device.groups.join(',') || '-',
    device.did,
  ]);
  const lines = tableLines([['NAME', 'ZONE', 'ROLES', 'TO', 'GROUPS', 'DID'], ...rows]);
  return lines.map((line) => `${line}\n`).join('');
}
