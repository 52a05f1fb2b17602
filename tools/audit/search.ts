/** `ghostpipe-audit search`: records by time, device, category and action; the whole export is verified on the way. */
import { ACTIONS, type Action, CATEGORIES, type Category } from '../../protocol/log-action.ts';
import type { LogEvent } from '../../protocol/log-record.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, integerOption, printJson, runCommand } from '../lib/command.ts';
import { PERIOD_OPTIONS, periodOption } from './period-option.ts';
import { PIN_OPTIONS } from './pin-option.ts';
import { recordLine } from './record-text.ts';
import { checkFolder, type OnRecord, reportLines } from './verify.ts';

const DEFAULT_LIMIT = 1000;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit search',
  summary: 'find records of an export; the whole export is verified on the way',
  usage: 'DIR [--from TIME] [--to TIME] [--device DID] [--category NAME] [--action NAME] [OPTIONS]',
  options: {
    ...PERIOD_OPTIONS,
    device: { type: 'string', value: 'DID', help: 'caused by this device, or about it' },
    category: { type: 'string', value: 'NAME', help: CATEGORIES.join(', ') },
    action: { type: 'string', value: 'NAME', help: 'as transfer.delivered; docs/formats.md lists them' },
    transfer: { type: 'string', value: 'ID', help: 'about this transfer, 32 hexadecimal digits' },
    limit: { type: 'string', value: 'N', help: `how many are printed, the first ones (default: ${DEFAULT_LIMIT})` },
    ...PIN_OPTIONS,
  },
  examples: [
    'ghostpipe-audit search ./audit --category access --from 2026-05-01 --to 2026-06-01',
    'ghostpipe-audit search ./audit --action transfer.rejected --json',
  ],
  maxPositionals: 1,
  couldNotRun: ['log-missing'],
};

type Filter = (event: LogEvent) => boolean;

/** Exit code 0 when the export holds, found or not; 1 when it does not: then no record of it counts. */
export function search(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [filter, limit] = [filterOf(args), integerOption(args, 'limit', 1, 1_000_000) ?? DEFAULT_LIMIT];
    const found: { readonly origin: string; readonly event: LogEvent }[] = [];
    let count = 0;
    const onRecord: OnRecord = ({ origin }, event) => {
      if (!filter(event)) return;
      count += 1;
      if (found.length < limit) found.push({ origin, event });
    };
    const report = checkFolder(args, { what: 'searching', onRecord });
    const { ok, failures, notices } = report;
    if (args.flag('json')) {
      const records = found.map(({ origin, event }) => ({ origin, ...event }));
      printJson({ ok, count, records, failures, notices });
    } else {
      const lines = found.map(({ origin, event }) => `${origin.split('/').at(-1)!.slice(0, 8)}  ${recordLine(event)}`);
      const more = count > found.length ? `, the first ${found.length} are shown` : '';
      process.stdout.write(`${[...lines, `${count} log records found${more}`, ...reportLines(report)].join('\n')}\n`);
    }
    return ok ? EXIT.ok : EXIT.failed;
  });
}

function filterOf(args: Arguments): Filter {
  const { fromMs = -Infinity, belowMs = Infinity } = periodOption(args);
  const [device, transfer] = [args.text('device'), args.text('transfer')];
  const category = oneOfOption(args, 'category', CATEGORIES) as Category | undefined;
  const action = oneOfOption(args, 'action', Object.keys(ACTIONS)) as Action | undefined;
  return ({ act, t, src, obj }) =>
    t >= fromMs &&
    t < belowMs &&
    (action === undefined || act === action) &&
    (category === undefined || ACTIONS[act].category === category) &&
    (device === undefined || src.id === device || ('did' in obj && obj.did === device)) &&
    (transfer === undefined || ('x' in obj && obj.x === transfer));
}

function oneOfOption(args: Arguments, name: string, choices: readonly string[]): string | undefined {
  const text = args.text(name);
  if (text === undefined || choices.includes(text)) return text;
  throw new Problem('usage', `--${name} must be one of ${choices.join(', ')}, not "${text}"`);
}
