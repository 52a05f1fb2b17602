/** `ghostpipe-provision plan`: zones, conduits, load and limits of a site, as text, picture, JSON or firewall. */
import { writeFileSync } from 'node:fs';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { text } from '../../protocol/shape.ts';
import { type Zone, zone as zoneShape } from '../../protocol/shapes.ts';
import { type Arguments, type CommandSpec, EXIT, numberOption, printJson, runCommand } from '../lib/command.ts';
import { nftablesOf } from '../lib/nftables.ts';
import { openSite, SITE_OPTIONS, usageCheck } from './options.ts';
import { BOARD_NAMES, type BoardName } from './plan/boards.ts';
import { type JudgedPlan, type PlanRequest, planOf } from './plan/model.ts';
import { readRelayFile } from './plan/relay-file.ts';
import { planSvg } from './plan/svg.ts';
import { planText } from './plan/text.ts';

const DEFAULT_ABSENT_MINUTES = 1;

const SPEC: CommandSpec = {
  name: 'ghostpipe-provision plan',
  summary: 'show zones, conduits, load and limits of the site; refuse what link or board cannot carry',
  usage: '[--board BOARD] [--link MBIT] [--svg FILE] [--nftables] [OPTIONS]',
  options: {
    board: { type: 'string', value: 'BOARD', help: `the relay's host: ${BOARD_NAMES.join(', ')} (default: vm)` },
    link: { type: 'string', value: 'MBIT', help: "what each link carries (default: the board's network card)" },
    absent: { type: 'string', value: 'MINUTES', help: 'hold everything while a receiver is away so long (default: 1)' },
    interface: {
      type: 'string',
      multiple: true,
      value: 'ZONE=NAME',
      help: "the relay's network interface in a zone, as ot=eth0; repeatable",
    },
    svg: { type: 'string', value: 'FILE', help: 'also draw the plan there' },
    nftables: { type: 'boolean', help: "print the firewall of the relay's host instead, for nft -f" },
    ...SITE_OPTIONS,
  },
  examples: [
    'ghostpipe-provision plan --board pi4 --link 100 --svg zones.svg',
    'ghostpipe-provision plan --interface ot=eth0 --interface it=eth1 --interface management=eth2 --nftables',
  ],
};

export function plan(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const request = requestOf(args);
    const site = openSite(nativeEngine, args);
    const judged = planOf(site.roster, readRelayFile(site.path, site.settings), request);
    const svg = args.text('svg');
    if (svg !== undefined) writePicture(svg, planSvg(judged));
    if (args.flag('nftables')) return printRuleset(judged, args.flag('json'));
    const ok = judged.excesses.length === 0;
    if (args.flag('json')) printJson({ ok, ...judged });
    else process.stdout.write(planText(judged));
    return ok ? EXIT.ok : EXIT.failed;
  });
}

/** It holds no secret, so that anybody may read it; refuses `usage`. */
function writePicture(path: string, svg: string): void {
  try {
    writeFileSync(path, svg);
  } catch (thrown) {
    throw new Problem('usage', `--svg: ${path} cannot be written (${(thrown as NodeJS.ErrnoException).code})`);
  }
}

/** No firewall is made for a plan that is refused. As JSON the ruleset is a field, null when there is none. */
function printRuleset(judged: JudgedPlan, json: boolean): number {
  const { excesses } = judged;
  const ok = excesses.length === 0;
  const ruleset = ok ? nftablesOf(judged) : null;
  const lines = excesses.map(({ fact, mend }) => `ghostpipe-provision plan: refused: ${fact}\n  ${mend}\n`);
  process.stderr.write(lines.join(''));
  if (json) printJson({ ok, ruleset, excesses });
  else process.stdout.write(ruleset ?? '');
  return ok ? EXIT.ok : EXIT.failed;
}

function requestOf(args: Arguments): PlanRequest {
  return {
    board: boardOf(args.text('board') ?? 'vm'),
    linkMbit: numberOption(args, 'link', 1, 1_000_000) ?? null,
    absentMinutes: numberOption(args, 'absent', 0, 1440) ?? DEFAULT_ABSENT_MINUTES,
    interfaces: Object.fromEntries(args.texts('interface').map(interfaceOf)),
  };
}

function boardOf(word: string): BoardName {
  const found = BOARD_NAMES.find((name) => name === word);
  if (!found) throw new Problem('usage', `--board must be one of ${BOARD_NAMES.join(', ')}, not "${word}"`);
  return found;
}

/** Names as the kernel takes them, without what would end a quoted word in a ruleset. */
const interfaceName = text('the name of a network interface', 1, 15, /^[A-Za-z0-9_.-]+$/);

function interfaceOf(word: string): [Zone, string] {
  const [zone = '', name = ''] = word.split(/=(.*)/s);
  return [usageCheck(zoneShape, zone, '--interface'), usageCheck(interfaceName, name, '--interface')];
}
