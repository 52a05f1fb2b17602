/** `ghostpipe-provision revoke`: a device no longer belongs to the site, for ever. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { isRevoked } from '../../protocol/revocation.ts';
import { deviceNamed } from '../../protocol/roster.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { nameArgument, openSite, PUBLISH_OPTIONS, SITE_OPTIONS } from './options.ts';
import { publishAdvice, publishIfAsked } from './publish.ts';
import { withoutDevice } from './roster-change.ts';
import type { SiteFolder } from './site-folder.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision revoke',
  summary: 'take a device out of the site for ever; its keys count nowhere once the roster is published',
  usage: 'NAME [--publish] [--dir DIR]',
  options: { ...PUBLISH_OPTIONS, ...SITE_OPTIONS },
  examples: ['ghostpipe-provision revoke plc-A1 --publish'],
  maxPositionals: 1,
};

export function revoke(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    const name = nameArgument(args);
    const statement = revokeDevice(site, name);
    const published = await publishIfAsked(site, args);
    if (args.flag('json')) {
      printJson({ ok: true, name, changed: statement !== null, statement, version: site.roster.version, published });
    } else {
      const fact = statement === null ? `${name} was revoked before` : `${name} is revoked: ${statement}`;
      process.stdout.write(`${fact}\n  ${publishAdvice(site, published)}\n`);
    }
    return EXIT.ok;
  });
}

/** Revokes a device; gives the path of the signed statement, or null when its last device was revoked before. */
export function revokeDevice(site: SiteFolder, name: string): string | null {
  if (isGone(site, name)) return null;
  const { did } = deviceNamed(site.roster, name);
  const draft = site.draft(withoutDevice(site.roster, name));
  const statement = site.writeRevocation({ did, what: 'device' }, draft.roster.version);
  site.commit(draft);
  return statement;
}

function isGone(site: SiteFolder, name: string): boolean {
  const inRoster = site.roster.devices.some((entry) => entry.name === name);
  const last = site.grant(name);
  return !inRoster && last !== undefined && isRevoked(site.roster.revocations, last.did);
}
