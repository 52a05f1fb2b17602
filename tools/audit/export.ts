/** `ghostpipe-audit export`: the log of a running relay as a folder that proves itself. */
import { nativeEngine } from '../../protocol/engine/native.ts';
import { fromBase64Url } from '../../protocol/text.ts';
import { readAuditorPublicKey } from '../lib/auditor-key-file.ts';
import { CLIENT_OPTIONS, type Client, openClient } from '../lib/client.ts';
import { type Arguments, type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';
import type { ExportReport } from './export-check.ts';
import { runExport } from './export-run.ts';
import { Progress } from './progress.ts';
import { RelayLog } from './relay-log.ts';
import { onTarget } from './stick-target.ts';
import { reportLines } from './verify.ts';

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit export',
  summary: 'pull the log of a running relay into a folder, verify it, and continue an export that is there',
  usage: '--to DIR|DEVICE --device-id NAME [OPTIONS]',
  options: {
    'seal-to': {
      type: 'string',
      value: 'FILE',
      help: 'public half of the key of "auditor-key": records are written sealed to it (default: exportTo of the profile)',
    },
    to: {
      type: 'string',
      value: 'DIR',
      help: 'folder of the export, which is continued; or a stick or its image, which is mounted (ext4, FAT, exFAT)',
    },
    ...CLIENT_OPTIONS,
  },
  examples: [
    'ghostpipe-audit export --to ./audit --device-id auditor --config-dir ./auditor',
    'ghostpipe-audit export --to /dev/sdb1 --device-id auditor --json',
  ],
  couldNotRun: ['target-unusable'],
};

/** Exit code 0 when the export is in its place, 1 when something of it does not hold, or the relay did not give it. */
export function exportLog(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const to = requiredOption(args, 'to');
    const file = args.text('seal-to');
    const report = await pull(to, args, file === undefined ? undefined : readAuditorPublicKey(file));
    if (args.flag('json')) printJson({ ...report, folder: to });
    else
      process.stdout.write(
        `${[...reportLines(report), report.ok ? `exported to ${to}` : `see ${to}.new`].join('\n')}\n`,
      );
    return report.ok ? EXIT.ok : EXIT.failed;
  });
}

async function pull(to: string, args: Arguments, sealTo?: Uint8Array): Promise<ExportReport> {
  const client = openClient(nativeEngine, args);
  try {
    return await onTarget(to, (folder) => pullLog(client, folder, sealTo ?? profileKey(client)));
  } finally {
    client.relay.close();
  }
}

/** Exports the log of the client's relay to `to`, sealed to that key, or in clear. */
export async function pullLog(client: Client, to: string, sealTo: Uint8Array | null): Promise<ExportReport> {
  const [pulling, verifying] = [new Progress('pulling'), new Progress('verifying')];
  try {
    await client.membership.join();
    return await runExport({
      engine: nativeEngine,
      log: new RelayLog(nativeEngine, client.relay),
      logPin: client.profile.logPin,
      to,
      ...(sealTo && { sealTo }),
      wall: () => Date.now(),
      onPulled: (done, all) => pulling.show(done, all),
      onVerified: (done, all) => verifying.show(done, all),
    });
  } finally {
    pulling.end();
    verifying.end();
  }
}

function profileKey({ profile: { exportTo } }: Client): Uint8Array | null {
  return exportTo === undefined ? null : fromBase64Url(exportTo);
}
