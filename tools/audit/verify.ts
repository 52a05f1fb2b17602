/** `ghostpipe-audit verify`: everything that an export says, from its data and one pin. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { checkExport, type EpochReport, type ExportCheckOptions, type ExportReport } from './export-check.ts';
import { findingLine } from './findings.ts';
import { logPinOption, PIN_OPTIONS } from './pin-option.ts';
import { Progress } from './progress.ts';
import { unsealOption } from './unseal-option.ts';

/** Failures that are printed; JSON has more. */
const SHOWN = 20;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit verify',
  summary: 'verify an export: signatures, every leaf and tile, and how heads and epochs follow each other',
  usage: 'DIR [--against EARLIER] [--receipts DIR] [OPTIONS]',
  options: {
    ...PIN_OPTIONS,
    against: { type: 'string', value: 'DIR', help: 'an earlier export: this one has to continue it' },
    receipts: { type: 'string', value: 'DIR', help: 'files with log receipts that senders were given' },
  },
  examples: [
    'ghostpipe-audit verify /media/stick/audit --relay iot',
    'ghostpipe-audit verify ./may --against ./april --json',
  ],
  maxPositionals: 1,
  couldNotRun: ['log-missing'],
};

/** Exit code 0 when all of it holds, 1 when something does not, 3 when there is no export to verify. */
export function verify(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const [against, receipts] = [args.text('against'), args.text('receipts')];
    const report = checkFolder(args, {
      what: 'verifying',
      ...(against === undefined ? {} : { against }),
      ...(receipts === undefined ? {} : { receipts }),
    });
    if (args.flag('json')) printJson(report);
    else process.stdout.write(`${reportLines(report).join('\n')}\n`);
    return report.ok ? EXIT.ok : EXIT.failed;
  });
}

/** The folder that stands as first word; refuses `usage`. */
export function folderArgument({ positionals: [folder] }: Arguments): string {
  if (folder === undefined) throw new Problem('usage', 'DIR is missing: the folder of an export');
  return folder;
}

export type OnRecord = NonNullable<ExportCheckOptions['onRecord']>;

/** Verifies the folder that is the first word, and says meanwhile how far it is. */
export function checkFolder(
  args: Arguments,
  { what, ...options }: { readonly what: string } & Pick<ExportCheckOptions, 'against' | 'receipts' | 'onRecord'>,
): ExportReport {
  const [folder, logPin, unseal] = [folderArgument(args), logPinOption(args), unsealOption(args)];
  const progress = new Progress(what);
  const onProgress = (done: number, all: number) => progress.show(done, all);
  try {
    return checkExport({ engine: nativeEngine, folder, logPin, unseal, onProgress, ...options });
  } finally {
    progress.end();
  }
}

/** The report in sentences. */
export function reportLines({ ok, failures, failureCount, notices, epochs, receipts }: ExportReport): string[] {
  const more = failureCount - Math.min(SHOWN, failures.length);
  const sealed = epochs.reduce((sum, epoch) => sum + epoch.sealed, 0);
  const verdict = !ok
    ? `NOT VERIFIED: ${failureCount} failures.`
    : sealed === 0
      ? 'VERIFIED: all that is here holds.'
      : `VERIFIED BUT FOR ${sealed} SEALED LOG RECORDS: heads and hashes hold; --auditor-key opens the records.`;
  const open = receipts && receipts.open > 0 ? `, ${receipts.open} are not decided by this export` : '';
  return [
    ...epochs.map(epochLine),
    ...(receipts ? [`${receipts.held} log receipts are kept${open}`] : []),
    ...notices.map((notice) => `note  ${notice}`),
    ...failures.slice(0, SHOWN).map(findingLine),
    ...(more > 0 ? [`and ${more} more failures (--json lists up to a thousand)`] : []),
    verdict,
  ];
}

function epochLine({ origin, size, seconds, leaves, records, sealed, heads, unarchived }: EpochReport): string {
  const gone = unarchived.reduce((sum, [from, below]) => sum + below - from, 0);
  const unsigned = Math.max(0, leaves - size);
  return [
    `${origin}: ${records} of ${Math.max(size, leaves)} log records hold`,
    ...(gone > 0 ? [`${gone} are not in the export`] : []),
    ...(sealed > 0 ? [`${sealed} are sealed`] : []),
    ...(unsigned > 0 ? [`${unsigned} of them were never signed`] : []),
    `${heads} heads hold`,
    seconds > 0 ? `the newest is of ${new Date(seconds * 1000).toISOString()}` : 'none is signed',
  ].join(', ');
}
