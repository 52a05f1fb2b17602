/** `ghostpipe-audit report`: what happened in a period, as text, CSV or a page with a timeline. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { writeFileAtomic } from '../lib/files.ts';
import { ActivityCount, type Period } from './activity-report.ts';
import { checkExport } from './export-check.ts';
import { logPinOption, PIN_OPTIONS } from './pin-option.ts';
import { Progress } from './progress.ts';
import { csvReport, htmlReport, textReport } from './report-text.ts';
import { folderArgument } from './verify.ts';

const FORMATS = { text: textReport, csv: csvReport, html: htmlReport } as const;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit report',
  summary: 'verify an export or an archive and say what happened in a period',
  usage: 'DIR [--from TIME] [--to TIME] [--format text|csv|html] [--out FILE] [OPTIONS]',
  options: {
    ...PIN_OPTIONS,
    from: {
      type: 'string',
      value: 'TIME',
      help: 'UTC, as 2026-11-01 or 2026-11-01T06:00:00Z (default: the beginning)',
    },
    to: { type: 'string', value: 'TIME', help: 'first moment that is no longer of the period (default: the end)' },
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
    const progress = new Progress('verifying');
    const checked = checkExport({
      engine: nativeEngine,
      folder,
      logPin: logPinOption(args),
      onRecord: ({ origin }, event) => count.add(origin, event),
      onProgress: (done, all) => progress.show(done, all),
    });
    progress.end();
    const { ok, failureCount, notices } = checked;
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

function periodOption(args: Arguments): Partial<Period> {
  const [fromMs, belowMs] = [timeOption(args, 'from'), timeOption(args, 'to')];
  if (fromMs !== undefined && belowMs !== undefined && fromMs >= belowMs) {
    throw new Problem('usage', `--from ${args.text('from')} is not before --to ${args.text('to')}`);
  }
  return { ...(fromMs === undefined ? {} : { fromMs }), ...(belowMs === undefined ? {} : { belowMs }) };
}

/** A day or a moment in UTC, in milliseconds; refuses `usage`. */
export function timeOption(args: Arguments, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const ms = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new Problem('usage', `--${name} must be as 2026-11-01 or 2026-11-01T06:00:00Z, not "${text}"`);
  return ms;
}
