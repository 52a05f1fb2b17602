/** `ghostpipe-provision device`: enrols a device: its secrets, its grant, its place in the roster. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { apiKeyHash, makeApiKey } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { MAX_RECIPIENTS } from '../../protocol/roster.ts';
import { list } from '../../protocol/shape.ts';
import { type Role, role, type Zone, zone } from '../../protocol/shapes.ts';
import {
  type Arguments,
  type CommandSpec,
  EXIT,
  numberOption,
  printJson,
  requiredOption,
  runCommand,
} from '../lib/command.ts';
import { deviceOf, makeDeviceSecrets } from '../lib/device.ts';
import { deviceFolder } from '../lib/paths.ts';
import { refuseEnrolled, refuseOtherProfile, writeDevice } from './device-files.ts';
import {
  copyAdvice,
  DEVICE_OUT_OPTIONS,
  type DeviceOut,
  deviceOut,
  nameArgument,
  named,
  openSite,
  PUBLISH_OPTIONS,
  SITE_OPTIONS,
  usageCheck,
} from './options.ts';
import { publishAdvice, publishIfAsked } from './publish.ts';
import { type Placement, withDevice } from './roster-change.ts';
import type { SiteFolder } from './site-folder.ts';

export interface DeviceRequest extends Placement {
  readonly name: string;
  readonly roles: readonly Role[];
  readonly zone: Zone;
}

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision device',
  summary: 'enrol a device: make its keys, sign its grant, add it to the roster',
  usage: 'NAME --role ROLE --zone ZONE [OPTIONS]',
  options: {
    role: {
      type: 'string',
      multiple: true,
      value: 'ROLE',
      help: 'send, receive, firmware, audit or operate; repeatable',
    },
    zone: { type: 'string', value: 'ZONE', help: 'ot, it or management: which listener of the relay it uses' },
    to: {
      type: 'string',
      multiple: true,
      value: 'NAME',
      help: 'device or group that may read what it sends; repeatable',
    },
    views: { type: 'string', value: 'N', help: 'how many of them may read each block (default: all)' },
    group: {
      type: 'string',
      multiple: true,
      value: 'NAME',
      help: 'group that it joins; made when missing; repeatable',
    },
    ...DEVICE_OUT_OPTIONS,
    ...PUBLISH_OPTIONS,
    ...SITE_OPTIONS,
  },
  examples: [
    'ghostpipe-provision device historian --role receive --zone it --out ./historian',
    'ghostpipe-provision device plc-A1 --role send --zone ot --to historian --out ./plc-A1 --publish',
  ],
  maxPositionals: 1,
};

export function device(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const request = requestOf(args);
    const site = openSite(nativeEngine, args);
    const out = deviceOut(args);
    const did = enrolDevice(nativeEngine, site, request, out);
    const published = await publishIfAsked(site, args);
    const { name } = request;
    if (args.flag('json')) {
      const folder = deviceFolder(out.folder, name);
      printJson({ ok: true, name, did, folder, profile: out.profile, version: site.roster.version, published });
    } else {
      const lines = [
        `${name} is enrolled as ${did}`,
        `  ${copyAdvice(out, name)}`,
        `  ${publishAdvice(site, published)}`,
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return EXIT.ok;
  });
}

/**
 * Enrols a device and gives its DID: its files are written to `out` first and the roster last, so that no roster ever
 * names a device whose keys do not exist. Refuses `already-exists`.
 */
export function enrolDevice(engine: Engine, site: SiteFolder, request: DeviceRequest, out: DeviceOut): string {
  const { name, roles, zone } = request;
  refuseEnrolled(out, name);
  refuseOtherProfile(site, zone, out);
  const secrets = makeDeviceSecrets(engine, name);
  const { did } = deviceOf(engine, secrets.identity, secrets.kem);
  const member = { name, did, roles, zone };
  const draft = site.draft(withDevice(site.roster, member, request));
  const apiKey = makeApiKey(engine);
  const grant = site.signGrant(member, apiKeyHash(engine, apiKey), draft.roster.version);
  writeDevice(site, zone, out, secrets, { grant, apiKey, rosterBytes: draft.bytes });
  site.keepGrant(name, grant);
  site.commit(draft);
  return did;
}

function requestOf(args: Arguments): DeviceRequest {
  const roles = usageCheck(list(role, 1, 5, String), args.texts('role'), '--role');
  const to = args.texts('to').map((name) => named(name, '--to'));
  const views = numberOption(args, 'views', 1, MAX_RECIPIENTS);
  if (to.length > 0 && !roles.includes('send')) throw new Problem('usage', '--to needs --role send');
  if (views !== undefined && to.length === 0) throw new Problem('usage', '--views needs --to');
  return {
    name: nameArgument(args),
    roles,
    zone: usageCheck(zone, requiredOption(args, 'zone'), '--zone'),
    to: [...new Set(to)],
    groups: [...new Set(args.texts('group').map((name) => named(name, '--group')))],
    ...(views === undefined ? {} : { views: Math.trunc(views) }),
  };
}
