/** `ghostpipe-provision cosigner`: whose word the relay takes that the audit log is kept elsewhere too. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { nameArgument, openSite, PUBLISH_OPTIONS, SITE_OPTIONS } from './options.ts';
import { publishAdvice, publishIfAsked } from './publish.ts';
import { withCosigner, withoutCosigner } from './roster-change.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision cosigner',
  summary: 'name an archive server in the roster: the relay may let go of records that it holds',
  usage: 'NAME KEY | NAME --remove   (KEY is what "ghostpipe-audit cosigner" prints)',
  options: {
    remove: { type: 'boolean', help: 'take the server out of the roster' },
    ...PUBLISH_OPTIONS,
    ...SITE_OPTIONS,
  },
  examples: [
    'ghostpipe-provision cosigner archive plant-1-archive+0a1b2c3d+Bg... --publish',
    'ghostpipe-provision cosigner archive --remove --publish',
  ],
  maxPositionals: 2,
};

export function cosigner(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const site = openSite(nativeEngine, args);
    const name = nameArgument(args);
    const [, key] = args.positionals;
    const remove = args.flag('remove');
    if (remove === (key !== undefined)) throw new Problem('usage', 'give either KEY or --remove');
    const next = remove ? withoutCosigner(site.roster, name) : withCosigner(nativeEngine, site.roster, name, key!);
    site.commit(site.draft(next));
    const published = await publishIfAsked(site, args);
    if (args.flag('json')) {
      printJson({ ok: true, name, cosigners: site.roster.cosigners, version: site.roster.version, published });
    } else {
      const fact = remove ? `${name} is no cosigner any more` : `${name} is a cosigner of the audit log`;
      process.stdout.write(`${fact}\n  ${publishAdvice(site, published)}\n`);
    }
    return EXIT.ok;
  });
}
