/** `ghostpipe-audit report`: what happened in a period, as text, CSV or a page with a timeline. */
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { writeFileAtomic } from '../lib/files.ts';
import { ActivityCount } from './activity-report.ts';
import { PERIOD_OPTIONS, periodOption } from './period-option.ts';
import { PIN_OPTIONS } from './pin-option.ts';
import { csvReport, htmlReport, textReport } from './report-text.ts';
import { checkFolder, folderArgument, type OnRecord } from './verify.ts';

const FORMATS = { text: textReport, csv: csvReport, html: htmlReport } as const;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit report',
  summary: 'verify an export or an archive and say what happened in a period',
  usage: 'DIR [--from TIME] [--to TIME] [--format text|csv|html] [--out FILE] [OPTIONS]',
  options: {
    ...PIN_OPTIONS,
    ...PERIOD_OPTIONS,
    format: { type: 'string', value: 'FORMAT', help: 'text, csv or html (default: text)' },
    out: { type: 'string', value: 'FILE', help: 'file to write (default: standard output)' },
  },
  examples: [
    'ghostpipe-audit report /srv/plant-1 --from 2026-11-01 --to 2026-12-01 --relay iot',
    'ghostpipe-audit report /srv/plant-1 --format html --out november.html --relay iot',
  ],
  maxPositionals: 1,
  couldNotRun: ['log-missing'],
};

/** Exit code 0 when all that is there holds, 1 when the report is of a log that does not. */
export function report(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const folder = folderArgument(args);
    const format = formatOption(args);
    const count = new ActivityCount(periodOption(args));
    const onRecord: OnRecord = ({ origin }, event) => count.add(origin, event);
    const { ok, failureCount, notices } = checkFolder(args, { what: 'verifying', onRecord });
    const made = count.report;
    const out = args.text('out');
    const written = FORMATS[format]({ folder, verified: ok, failureCount, notices }, made);
    if (out !== undefined) writeFileAtomic(out, written, 0o644);
    if (args.flag('json')) {
      const { period, records, actions, noted } = made;
      printJson({ ok, failureCount, period, records, actions, noted, out: out ?? null });
    } else {
      process.stdout.write(
        out === undefined ? written : `${out} has the report. ${ok ? '' : 'The log does not hold.'}\n`,
      );
    }
    return ok ? EXIT.ok : EXIT.failed;
  });
}

function formatOption(args: Arguments): keyof typeof FORMATS {
  const format = args.text('format') ?? 'text';
  if (Object.hasOwn(FORMATS, format)) return format as keyof typeof FORMATS;
  throw new Problem('usage', `--format must be ${Object.keys(FORMATS).join(', ')}, not "${format}"`);
}
