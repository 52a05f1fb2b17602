/** `ghostpipe-evidence self-test`: shows for each check that it passes on what is clean and fails on its sabotages. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, integerOption, printJson, runCommand } from '../lib/command.ts';
import type { Check } from './check.ts';
import { CHECKS } from './checks/registry.ts';
import { PROJECT } from './context.ts';
import { readImage } from './image/image-file.ts';
import { modelImage } from './image/model.ts';
import { type CheckOutcome, Looking, type LookingOptions } from './looking.ts';
import { wasTried } from './records.ts';
import { withTemplate } from './scene/template.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-evidence self-test',
  summary: 'show that each check passes on a clean relay and catches every one of its sabotages',
  usage: '[--check ID]... [OPTIONS]',
  options: {
    check: { type: 'string', multiple: true, value: 'ID', help: 'only this check; repeatable' },
    image: { type: 'string', value: 'FILE', help: 'spoil this image (default: a small made one)' },
    scenes: { type: 'string', value: 'N', help: 'how many relays are looked at, at the same time (default: 3)' },
  },
  examples: ['ghostpipe-evidence self-test', 'ghostpipe-evidence self-test --check roles-hold --json'],
};

/** What a self-test found, as counts and as names. */
export interface SelfTest {
  readonly checks: number;
  readonly sabotages: number;
  readonly caught: number;
  /** How many sabotages could not be tried: they count as not caught. */
  readonly notTried: number;
  readonly untried: readonly string[];
  /** Sabotages under which the check still passed. */
  readonly missed: readonly string[];
  /** Checks that did not pass on the clean relay, log or files. */
  readonly alarms: readonly string[];
}

/** Exit code 0 when every sabotage was caught and nothing clean raised an alarm, else 1. */
export function selfTestCommand(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const checks = checksAsked(args.texts('check'));
    const json = args.flag('json');
    const image = args.text('image');
    const options = {
      scenes: scenesOf(args),
      image: image === undefined ? modelImage() : readImage(image),
      ...(json ? {} : { onLook: tellLook }),
    };
    const outcomes = await withTemplate((template) => lookAtAll(template, checks, options));
    const found = summaryOf(outcomes);
    const ok = found.alarms.length === 0 && found.caught === found.sabotages;
    if (json) printJson({ ok, ...found });
    else process.stdout.write(selfTestText(found));
    return ok ? EXIT.ok : EXIT.failed;
  });
}

/** Looks at every scene of the checks, each a copy of the site in `template`. */
export function lookAtAll(
  template: string,
  checks: readonly Check[],
  options: Pick<LookingOptions, 'scenes' | 'onLook' | 'written' | 'log' | 'image' | 'live'>,
): Promise<CheckOutcome[]> {
  return new Looking({ engine: nativeEngine, project: PROJECT, template, now: Date.now, ...options }).all(checks);
}

/** How many scenes may be busy at a time; refuses `usage`. */
export function scenesOf(args: Arguments): number {
  return integerOption(args, 'scenes', 1, 16) ?? 3;
}

/** A line of progress on standard error for each look. */
export const tellLook: NonNullable<LookingOptions['onLook']> = (check, sabotage, { result, detail }) => {
  const what = sabotage === null ? check : `${check}, sabotaged: ${sabotage}`;
  process.stderr.write(`${result.padEnd(8)}${what}${detail ? ` (${detail})` : ''}\n`);
};

/** Counts outcomes. */
export function summaryOf(outcomes: readonly CheckOutcome[]): SelfTest {
  const looks = outcomes.flatMap(({ check, sabotaged }) =>
    [...sabotaged].map(([name, looked]) => ({ name: `${check.id} ${name}`, looked })),
  );
  const named = (all: typeof looks) => all.map(({ name }) => name);
  const untried = named(looks.filter(({ looked }) => !wasTried(looked)));
  return {
    checks: outcomes.length,
    sabotages: looks.length,
    caught: looks.filter(({ looked }) => looked.result === 'fail').length,
    notTried: untried.length,
    untried,
    missed: named(looks.filter(({ looked }) => looked.result === 'pass')),
    alarms: outcomes.filter(({ clean }) => clean.result !== 'pass').map(({ check }) => check.id),
  };
}

function selfTestText({ checks, sabotages, caught, untried, missed, alarms }: SelfTest): string {
  const list = (what: string, names: readonly string[]) => names.map((name) => `${what}: ${name}\n`).join('');
  return `${list('not caught', missed)}${list('not tried', untried)}${list('alarm on what is clean', alarms)}${checks} checks, ${sabotages} sabotages, ${caught} caught\n`;
}

function checksAsked(ids: readonly string[]): readonly Check[] {
  const unknown = ids.find((id) => !CHECKS.some((check) => check.id === id));
  if (unknown !== undefined)
    throw new Problem('usage', `"${unknown}" is no check; policy/iec62443/checks has them all`);
  return ids.length === 0 ? CHECKS : CHECKS.filter(({ id }) => ids.includes(id));
}
