/** `ghostpipe-provision rotate`: a new API key for a device, the old one revoked. */
import type { Engine } from '../../protocol/engine/engine.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { apiKeyHash, makeApiKey } from '../../protocol/identity.ts';
import { Problem } from '../../protocol/problem.ts';
import { deviceNamed } from '../../protocol/roster.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { deviceFolder } from '../lib/paths.ts';
import { refuseOtherProfile, writeNewCredentials } from './device-files.ts';
import {
  DEVICE_OUT_OPTIONS,
  type DeviceOut,
  deviceOut,
  nameArgument,
  openSite,
  PUBLISH_OPTIONS,
  SITE_OPTIONS,
} from './options.ts';
import { publishAdvice, publishIfAsked } from './publish.ts';
import { withRevokedKey } from './roster-change.ts';
import type { SiteFolder } from './site-folder.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision rotate',
  summary: 'give a device a new API key and revoke the old one; its identity stays',
  usage: 'NAME [OPTIONS]',
  options: { ...DEVICE_OUT_OPTIONS, ...PUBLISH_OPTIONS, ...SITE_OPTIONS },
  examples: ['ghostpipe-provision rotate plc-A1 --out ./plc-A1 --publish'],
  maxPositionals: 1,
};

export function rotate(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    const out = deviceOut(args);
    const name = nameArgument(args);
    rotateKey(nativeEngine, site, name, out);
    const published = await publishIfAsked(site, args);
    const folder = deviceFolder(out.folder, name);
    if (args.flag('json')) {
      printJson({ ok: true, name, folder, version: site.roster.version, published });
    } else {
      const lines = [
        `${name} has a new API key; the old one ends when the roster is published`,
        `  bring api-key, grant.json and roster.json of ${folder} to the device, then restart its program`,
        `  ${publishAdvice(site, published)}`,
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return EXIT.ok;
  });
}

/**
 * Revokes the API key of a device and gives it a new one. The revocation is put in force first: cut short, the device
 * is without a key until this is run again, but no old key lives on unseen.
 */
export function rotateKey(engine: Engine, site: SiteFolder, name: string, out: DeviceOut): void {
  const member = deviceNamed(site.roster, name);
  const last = site.grant(name);
  if (last?.did !== member.did) {
    throw new Problem('file-invalid', `${site.path} has no grant of the present ${name}; use replace-device`);
  }
  refuseOtherProfile(site, member.zone, out);
  const draft = site.draft(withRevokedKey(site.roster, member.did, last.apiKeyHash));
  const apiKey = makeApiKey(engine);
  const grant = site.signGrant(member, apiKeyHash(engine, apiKey), draft.roster.version);
  site.writeRevocation({ did: member.did, what: 'api-key', apiKeyHash: last.apiKeyHash }, draft.roster.version);
  site.commit(draft);
  site.keepGrant(name, grant);
  writeNewCredentials(site, member.zone, name, out, { grant, apiKey, rosterBytes: draft.bytes });
}
