/** `ghostpipe-evidence verify`: checks a bundle off line, with nothing but this software. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { check } from '../../protocol/shape.ts';
import { pinText } from '../../protocol/shapes.ts';
import { type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { verifyBundle } from './bundle.ts';
import { profileOf, usablePolicy } from './context.ts';
import { countVerdicts } from './summary.ts';
import { judge, openItems } from './verdict.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-evidence verify',
  summary: 'check the signatures, the records and every verdict of a bundle, off line',
  usage: 'DIR [--key-hash HASH]',
  options: { 'key-hash': { type: 'string', value: 'HASH', help: 'pin of the evidence key that must have signed it' } },
  examples: ['ghostpipe-evidence verify ./evidence'],
  maxPositionals: 1,
};

/** Exit code 0 when the bundle is what was signed and its verdicts follow from its evidence, else 1. */
export function verifyCommand(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [folder] = args.positionals;
    if (folder === undefined) throw new Problem('usage', 'DIR is missing');
    const wanted = keyHashOf(args.text('key-hash'));
    const policy = usablePolicy();
    const { statement, records, verdicts, keyHash } = verifyBundle(nativeEngine, folder, policy);
    if (wanted !== undefined && wanted !== keyHash) {
      throw new Problem('evidence-invalid', `the bundle is signed by ${keyHash}, expected ${wanted}`);
    }
    const { level } = profileOf(policy, statement.profile);
    const { subject, anchored, root } = statement;
    const open = openItems(verdicts, level).length;
    const now = judge(policy, records, { subject, nowMs: Date.now() });
    const stale = now.filter(({ verdict }, i) => verdict !== verdicts[i]!.verdict).map(({ item }) => item);
    const counts = countVerdicts(verdicts, level);
    if (args.flag('json')) {
      printJson({ ok: true, profile: statement.profile, keyHash, root, anchored, subject, counts, open, stale });
    } else {
      process.stdout.write(
        [
          `the bundle holds: ${records.length} records under the root ${root}`,
          `signed by ${keyHash}${wanted === undefined ? ', which nobody has vouched for (--key-hash)' : ''}`,
          `software ${subject.version} ${subject.softwareDigest}, configuration ${subject.configHash}`,
          `profile ${statement.profile}: ${open} open items, ${counts.met} met`,
          anchored ? 'its root stands in the audit log' : 'its root stands in no audit log',
          stale.length === 0 ? 'all of it is fresh' : `no longer fresh: ${stale.join(', ')}`,
          '',
        ].join('\n'),
      );
    }
    return EXIT.ok;
  });
}

function keyHashOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return check(pinText, text);
  } catch (thrown) {
    throw new Problem('usage', `--key-hash: ${asProblem(thrown).detail}`);
  }
}
