/** `ghostpipe-provision publish`: gives the current roster to the running relay. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { RelayClient } from '../lib/relay-client.ts';
import { openSite, SITE_OPTIONS } from './options.ts';
import type { SiteFolder } from './site-folder.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision publish',
  summary: 'give the newest roster to the running relay, which carries it to all devices',
  usage: '[--dir DIR]',
  options: SITE_OPTIONS,
  examples: ['ghostpipe-provision publish', 'ghostpipe-provision publish --dir /media/stick/plant-1 --json'],
};

export function publish(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    await publishRoster(site);
    const { version } = site.roster;
    if (args.flag('json')) printJson({ ok: true, version, published: true });
    else process.stdout.write(`The relay at ${site.settings.urls.management} has roster version ${version}.\n`);
    return EXIT.ok;
  });
}

/**
 * Gives the relay the current roster, over its pinned management listener; the operator's signature authorises it.
 * A relay that has this very version needs nothing. Refuses what the relay refuses: `roster-older` when it has a newer
 * one, so that this folder must be an old copy.
 */
export async function publishRoster(site: SiteFolder): Promise<void> {
  const relay = new RelayClient({ url: site.settings.urls.management, pins: site.settings.relayPins });
  try {
    await relay.publishRoster(site.rosterBytes);
  } catch (thrown) {
    const older = thrown instanceof Problem && thrown.code === 'roster-older';
    if (!older || (await rosterVersionOf(relay)) !== site.roster.version) throw thrown;
  } finally {
    relay.close();
  }
}

async function rosterVersionOf(relay: RelayClient): Promise<unknown> {
  return ((await relay.health()) as { readonly rosterVersion?: unknown }).rosterVersion;
}

/** Publishes when `--publish` was given; gives whether. A change that cannot be published stays made, and says so. */
export async function publishIfAsked(site: SiteFolder, args: Arguments): Promise<boolean> {
  if (!args.flag('publish')) return false;
  try {
    await publishRoster(site);
    return true;
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown;
    const made = `roster version ${site.roster.version} is made but not published`;
    throw new Problem(thrown.code, `${made}: ${thrown.detail}; later: ghostpipe-provision publish`);
  }
}

/** The line that says whether the relay knows the change. */
export function publishAdvice(site: SiteFolder, published: boolean): string {
  const { version } = site.roster;
  if (published) return `the relay has roster version ${version}`;
  return `the running relay learns roster version ${version} by: ghostpipe-provision publish --dir ${site.path}`;
}
