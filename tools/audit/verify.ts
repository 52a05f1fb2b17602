/** `ghostpipe-audit verify`: everything that an export says, from its data and one pin. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { type NoteKey, parseVerifierKey } from '../../protocol/note-key.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, runCommand } from '../lib/command.ts';
import { readFileBounded } from '../lib/files.ts';
import { checkExport, type EpochReport, type ExportCheckOptions, type ExportReport } from './export-check.ts';
import { findingLine } from './findings.ts';
import { logPinOption, PIN_OPTIONS } from './pin-option.ts';
import { Progress } from './progress.ts';
import { unsealOption } from './unseal-option.ts';

const MAX_KEYS_BYTES = 65_536;
/** Failures that are printed; JSON has more. */
const SHOWN = 20;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit verify',
  summary: 'verify an export: signatures, every leaf and tile, and how heads and epochs follow each other',
  usage: 'DIR [--against EARLIER] [--receipts DIR] [OPTIONS]',
  options: {
    ...PIN_OPTIONS,
    against: { type: 'string', value: 'DIR', help: 'an earlier export: this one has to continue it' },
    'cosigner-key': {
      type: 'string',
      value: 'FILE',
      help: 'verifier keys of archives, one a line: their cosignatures are checked',
    },
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
    const [against, receipts, keys] = [args.text('against'), args.text('receipts'), args.text('cosigner-key')];
    const report = checkFolder(args, {
      what: 'verifying',
      ...(against === undefined ? {} : { against }),
      ...(receipts === undefined ? {} : { receipts }),
      ...(keys === undefined ? {} : { cosigners: verifierKeysIn(keys) }),
    });
    if (args.flag('json')) printJson(report);
    else process.stdout.write(`${reportLines(report).join('\n')}\n`);
    return report.ok ? EXIT.ok : EXIT.failed;
  });
}

/** The verifier keys in a file; refuses `key-missing` and `file-invalid`. */
function verifierKeysIn(path: string): NoteKey[] {
  const bytes = readFileBounded(path, MAX_KEYS_BYTES);
  if (!bytes) throw new Problem('key-missing', `${path} is not there: it should have what "cosigner" printed`);
  const lines = Buffer.from(bytes)
    .toString()
    .split('\n')
    .filter((line) => line !== '');
  try {
    return lines.map((line) => parseVerifierKey(nativeEngine, line));
  } catch (thrown) {
    throw new Problem('file-invalid', `${path}: ${asProblem(thrown).detail}`);
  }
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
  {
    what,
    ...options
  }: { readonly what: string } & Pick<ExportCheckOptions, 'against' | 'receipts' | 'cosigners' | 'onRecord'>,
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
