/** `ghostpipe-audit archive`: takes an export into the archive of the air-gapped server, and signs for what it holds. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import { type CommandSpec, EXIT, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { writeFileAtomic } from '../lib/files.ts';
import { type TakenEpoch, takeIn } from './archive-intake.ts';
import { ArchiveStore } from './archive-store.ts';
import { type CosignatureFile, cosignNewest } from './cosignature-file.ts';
import { type CosignerKey, readCosignerKey } from './cosigner-key.ts';
import { epochPath } from './layout.ts';
import { logPinOption, PIN_OPTIONS } from './pin-option.ts';
import { Progress } from './progress.ts';
import { unsealOption } from './unseal-option.ts';
import { folderArgument, reportLines } from './verify.ts';

/** The key of the archive. */
export const COSIGNER_OPTION = {
  type: 'string',
  value: 'FILE',
  help: 'key that "cosigner" made: cosign the newest head of each epoch',
} as const;

const SPEC: CommandSpec = {
  name: 'ghostpipe-audit archive',
  summary: 'verify an export, take it into an archive, and sign for what the archive then holds',
  usage: 'DIR --into STORE [--cosigner FILE] [OPTIONS]',
  options: {
    ...PIN_OPTIONS,
    into: { type: 'string', value: 'STORE', help: 'folder of the archive; it is made when it is not there' },
    cosigner: COSIGNER_OPTION,
    return: { type: 'string', value: 'DIR', help: 'where cosignatures for the relay are written (default: DIR)' },
  },
  examples: [
    'ghostpipe-audit archive /media/stick --into /srv/plant-1 --cosigner /etc/ghostpipe-audit/cosigner.json --relay iot',
    'ghostpipe-audit verify /srv/plant-1 --relay iot',
  ],
  maxPositionals: 1,
  couldNotRun: ['log-missing'],
};

/** Exit code 0 when all of it was taken or was there, 1 when nothing was because something does not hold. */
export function archive(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const folder = folderArgument(args);
    const [logPin, unseal] = [logPinOption(args), unsealOption(args)];
    const keyFile = args.text('cosigner');
    const key = keyFile === undefined ? null : readCosignerKey(nativeEngine, keyFile);
    const back = args.text('return') ?? folder;
    if (key) requireWritable(back);
    const store = new ArchiveStore(requiredOption(args, 'into'), logPin);
    const progress = new Progress('verifying');
    try {
      const { report, taken } = takeIn(store, folder, {
        engine: nativeEngine,
        logPin,
        unseal,
        onProgress: (done, all) => progress.show(done, all),
      });
      const cosigned = key && report.ok ? cosignAll(store, taken, key, back) : [];
      progress.end();
      const { ok, failures, failureCount, notices } = report;
      if (args.flag('json')) {
        const epochs = taken.map(({ origin, id, size, before, added }) => ({ origin, id, size, before, added }));
        const signed = cosigned.map(({ origin, size, file }) => ({ origin, size, file: epochPath(file) }));
        printJson({ ok, store: store.path, epochs, cosigned: signed, failures, failureCount, notices });
      } else {
        const lines = ok ? takenLines(taken, cosigned, back) : [...reportLines(report), 'Nothing was taken.'];
        process.stdout.write(`${lines.join('\n')}\n`);
      }
      return ok ? EXIT.ok : EXIT.failed;
    } finally {
      progress.end();
      store.close();
    }
  });
}

/** Refuses `state-failed` before anything is done: a stick may be locked against writing. */
function requireWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK);
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new Problem('state-failed', `${folder} cannot be written (${code}); give --return DIR for the cosignatures`);
  }
}

/** Signs for epochs of the archive, there and in the inbox of `back`, for the way to the relay. */
export function cosignAll(
  store: ArchiveStore,
  taken: readonly Pick<TakenEpoch, 'id'>[],
  key: CosignerKey,
  back: string | null,
): CosignatureFile[] {
  const seconds = Math.floor(Date.now() / 1000);
  return taken.flatMap(({ id }) => {
    const signed = cosignNewest(nativeEngine, store.epoch(id)!, key, seconds);
    if (!signed) return [];
    store.write(id, signed.file, signed.bytes);
    if (back !== null) writeFileAtomic(join(back, epochPath(signed.file)), signed.bytes, 0o644);
    return signed;
  });
}

function takenLines(taken: readonly TakenEpoch[], cosigned: readonly CosignatureFile[], back: string): string[] {
  return [
    ...taken.map(({ origin, size, before, added }) => {
      const what = size > before ? `${before} to ${size} leaves` : `${size} leaves, as before`;
      const signed = cosigned.some((each) => each.origin === origin) ? ', cosigned' : '';
      return `${origin}: ${what}, ${added.files} files added${signed}`;
    }),
    ...(cosigned.length > 0 ? [`carry ${back} back: "ghostpipe-audit return" gives the relay its inbox`] : []),
    'ARCHIVED: all that came holds, and agrees with what was here.',
  ];
}
