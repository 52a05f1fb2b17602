/** `ghostpipe-provision replace-device`: new keys under an old name, for a device that broke or was stolen. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { apiKeyHash, makeApiKey } from '../../protocol/identity.ts';
import { deviceNamed } from '../../protocol/roster.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { deviceOf, makeDeviceSecrets } from '../lib/device.ts';
import { deviceFolder } from '../lib/paths.ts';
import { refuseOtherProfile, writeDevice } from './device-files.ts';
import {
  copyAdvice,
  DEVICE_OUT_OPTIONS,
  type DeviceOut,
  deviceOut,
  nameArgument,
  openSite,
  PUBLISH_OPTIONS,
  SITE_OPTIONS,
} from './options.ts';
import { publishAdvice, publishIfAsked } from './publish.ts';
import { withReplacedDevice } from './roster-change.ts';
import type { SiteFolder } from './site-folder.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision replace-device',
  summary: 'enrol a new device under the name, roles, zone and route of an old one, which is revoked',
  usage: 'NAME [OPTIONS]',
  options: { ...DEVICE_OUT_OPTIONS, ...PUBLISH_OPTIONS, ...SITE_OPTIONS },
  examples: ['ghostpipe-provision replace-device plc-A1 --out ./plc-A1-new --publish'],
  maxPositionals: 1,
};

export function replaceDevice(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    const out = deviceOut(args);
    const name = nameArgument(args);
    const { did, oldDid } = replaceIdentity(nativeEngine, site, name, out);
    const published = await publishIfAsked(site, args);
    if (args.flag('json')) {
      const folder = deviceFolder(out.folder, name);
      printJson({ ok: true, name, did, oldDid, folder, version: site.roster.version, published });
    } else {
      const lines = [
        `${name} is now ${did}`,
        `  ${oldDid} is revoked`,
        `  ${copyAdvice(out, name)}`,
        `  ${publishAdvice(site, published)}`,
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return EXIT.ok;
  });
}

/** Makes a new identity for `name` and revokes the old one. Keys of the old one in `out` are overwritten. */
export function replaceIdentity(
  engine: Engine,
  site: SiteFolder,
  name: string,
  out: DeviceOut,
): { readonly did: string; readonly oldDid: string } {
  const old = deviceNamed(site.roster, name);
  refuseOtherProfile(site, old.zone, out);
  const secrets = makeDeviceSecrets(engine, name);
  const { did } = deviceOf(engine, secrets.identity, secrets.kem);
  const draft = site.draft(withReplacedDevice(site.roster, name, did));
  const apiKey = makeApiKey(engine);
  const grant = site.signGrant({ ...old, did }, apiKeyHash(engine, apiKey), draft.roster.version);
  writeDevice(site, old.zone, out, secrets, { grant, apiKey, rosterBytes: draft.bytes });
  site.writeRevocation({ did: old.did, what: 'device' }, draft.roster.version);
  site.commit(draft);
  site.keepGrant(name, grant);
  return { did, oldDid: old.did };
}
