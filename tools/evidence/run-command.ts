/** `ghostpipe-evidence run`: looks at everything, computes the verdicts, writes the bundle, and says what is open. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { configFolder } from '../lib/paths.ts';
import { readEvidence, writeBundle } from './bundle.ts';
import { CHECKS } from './checks/registry.ts';
import { defaultKeyPath, PROJECT, profileOf, usablePolicy } from './context.ts';
import { evidenceKey } from './evidence-key.ts';
import { GIVEN_OPTIONS, type Given, readGiven } from './given.ts';
import type { Policy } from './policy/policy.ts';
import type { EvidenceRecord, Subject } from './record.ts';
import { recordsOf } from './records.ts';
import type { Written } from './scene/scene.ts';
import { withTemplate } from './scene/template.ts';
import { lookAtAll, scenesOf, tellLook } from './self-test-command.ts';
import { defaultConfig, subjectOf } from './subject.ts';
import { countVerdicts, summaryText } from './summary.ts';
import { judge, levelsOf, openItems } from './verdict.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-evidence run',
  summary: 'look at a relay with your configuration, and say which requirement is met, how, and what is open',
  usage: '--profile PROFILE --out DIR [OPTIONS]',
  options: {
    profile: { type: 'string', value: 'PROFILE', help: 'what is aimed at: sl2 or sl3' },
    out: { type: 'string', value: 'DIR', help: 'folder for the bundle; it must be empty or missing' },
    ...GIVEN_OPTIONS,
    key: {
      type: 'string',
      value: 'FILE',
      help: 'evidence key; made when missing (default: ~/.config/ghostpipe/evidence-key)',
    },
    evidence: { type: 'string', value: 'DIR', help: 'take the evidence of this bundle instead of looking' },
    scenes: { type: 'string', value: 'N', help: 'how many relays are looked at, at the same time (default: 3)' },
  },
  examples: [
    'ghostpipe-evidence run --profile sl2 --out ./evidence',
    'ghostpipe-evidence run --profile sl2 --config plant/site/relay/relay.yaml --out ./evidence --json',
  ],
  couldNotRun: ['evidence-invalid', 'already-exists', 'internal'],
};

/** Exit code 0 when no targeted item is open, 1 when one is, 3 when nothing could be judged. */
export function runCheckCommand(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const policy = usablePolicy();
    const profile = profileOf(policy, requiredOption(args, 'profile'));
    const out = requiredOption(args, 'out');
    refuseUsed(out);
    const given = readGiven(args);
    const { subject, records } = await withTemplate((template) => lookOrRead(args, template, policy, given));
    const judgedMs = Date.now();
    const verdicts = judge(policy, records, { subject, nowMs: judgedMs });
    const key = evidenceKey(nativeEngine, args.text('key') ?? defaultKeyPath(configFolder()));
    mkdirSync(out, { recursive: true });
    writeBundle(nativeEngine, out, { profile: profile.id, subject, records, verdicts, judgedMs }, policy, key);
    const open = openItems(verdicts, profile.level);
    const ok = open.length === 0;
    const { level } = profile;
    if (args.flag('json')) {
      const items = open.map(({ item, verdict, because }) => ({ item, verdict, because }));
      printJson({
        ok,
        profile: profile.id,
        counts: countVerdicts(verdicts, level),
        levels: levelsOf(verdicts),
        open: items,
        out,
      });
    } else {
      process.stdout.write(summaryText({ profile: profile.id, level, verdicts, records, system: policy.system }));
    }
    return ok ? EXIT.ok : EXIT.failed;
  });
}

interface Evidence {
  readonly subject: Subject;
  readonly records: readonly EvidenceRecord[];
}

/** Evidence of this configuration: looked for now, or of an earlier bundle. */
async function lookOrRead(args: Arguments, template: string, policy: Policy, given: Given): Promise<Evidence> {
  const { config, place, ...others } = given;
  const { written, config: meant } = config ?? defaultConfig(template);
  const subject = await subjectOf(PROJECT, meant, place);
  const earlier = args.text('evidence');
  if (earlier !== undefined) return { subject, records: readEvidence(nativeEngine, earlier) };
  const progress = args.flag('json') ? {} : { onLook: tellLook };
  const options = { scenes: scenesOf(args), written: written as Written, ...progress, ...others };
  const outcomes = await lookAtAll(template, CHECKS, options);
  const after = await subjectOf(PROJECT, meant, place);
  if (after.softwareDigest !== subject.softwareDigest) {
    throw new Problem('evidence-invalid', 'the software changed while it was looked at');
  }
  return { subject, records: recordsOf(outcomes, policy, subject) };
}

function refuseUsed(folder: string): void {
  const [first] = existsSync(folder) ? readdirSync(folder) : [];
  if (first !== undefined) throw new Problem('already-exists', `${folder} is not empty (it has ${first})`);
}
