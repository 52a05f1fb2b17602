/** `ghostpipe-audit watch`: an archive that pulls the log of a running relay again and again, and signs for what it holds. */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { asProblem } from '../../protocol/problem.ts';
import { CLIENT_OPTIONS, type Client, openClient } from '../lib/client.ts';
import { type CommandSpec, EXIT, integerOption, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { Notices } from '../lib/notices.ts';
import { listenForStop } from '../lib/stop.ts';
import { COSIGNER_OPTION, cosignAll } from './archive.ts';
import { type TakenEpoch, takeIn } from './archive-intake.ts';
import { ArchiveStore } from './archive-store.ts';
import { type CosignerKey, readCosignerKey } from './cosigner-key.ts';
import { pullLog } from './export.ts';
import type { ExportReport } from './export-check.ts';
import { findingLine } from './findings.ts';

const NAME = 'ghostpipe-audit watch';
const EVERY_SECONDS = 30;
/** In the archive: the export that is continued by each pass. */
const PULLED = 'pulled';

const SPEC: CommandSpec = {
  name: NAME,
  summary: 'keep an archive of a running relay: pull its log every 30 seconds, verify it, sign for it',
  usage: '--into STORE --device-id NAME [--cosigner FILE] [OPTIONS]',
  options: {
    into: { type: 'string', value: 'STORE', help: 'folder of the archive; it is made when it is not there' },
    cosigner: COSIGNER_OPTION,
    every: { type: 'string', value: 'SECONDS', help: `from pass to pass, 1 to 86400 (default: ${EVERY_SECONDS})` },
    once: { type: 'boolean', help: 'end after one pass' },
    ...CLIENT_OPTIONS,
  },
  examples: [
    'ghostpipe-audit watch --into /srv/plant-1 --device-id auditor',
    'ghostpipe-audit watch --into /srv/plant-1 --device-id auditor --cosigner /etc/ghostpipe-audit/cosigner.json --once',
  ],
};

/**
 * Runs until SIGTERM. A relay that is away is asked again in the next pass; a log that does not hold, or contradicts what
 * the archive has, ends it with exit code 1: somebody has to look.
 */
export function watch(argv: readonly string[]): Promise<number> {
  return runCommand(SPEC, argv, async (args) => {
    const into = requiredOption(args, 'into');
    const everyMs = (integerOption(args, 'every', 1, 86_400) ?? EVERY_SECONDS) * 1000;
    const [once, json] = [args.flag('once'), args.flag('json')];
    const file = args.text('cosigner');
    const key = file === undefined ? null : readCosignerKey(nativeEngine, file);
    const client = openClient(nativeEngine, args);
    const notices = new Notices(NAME);
    const stop = listenForStop();
    try {
      while (!stop.asked.aborted) {
        const startedMs = performance.now();
        try {
          const pass = await archiveOnce(client, into, key);
          if (json) printJson(pass);
          else process.stdout.write(`${passLine(pass)}\n`);
          if (!pass.ok) return EXIT.failed;
          if (once) return EXIT.ok;
        } catch (thrown) {
          const problem = asProblem(thrown);
          if (once || problem.code !== 'relay-unreachable') throw problem;
          notices.problem(problem);
        }
        const leftMs = Math.max(0, startedMs + everyMs - performance.now());
        await sleep(leftMs, undefined, { signal: stop.asked }).catch(() => {});
      }
      return EXIT.ok;
    } finally {
      stop.dispose();
      client.relay.close();
    }
  });
}

/** What one pass brought. */
interface Pass extends Pick<ExportReport, 'ok' | 'failures' | 'failureCount'> {
  readonly epochs: readonly { readonly origin: string; readonly before: number; readonly size: number }[];
  readonly cosigned: number;
}

async function archiveOnce(client: Client, into: string, key: CosignerKey | null): Promise<Pass> {
  const { logPin } = client.profile;
  const store = new ArchiveStore(into, logPin);
  try {
    const pulled = join(store.path, PULLED);
    const exported = await pullLog(client, pulled);
    if (!exported.ok) return passOf(exported, [], 0);
    const { report, taken } = takeIn(store, pulled, { engine: nativeEngine, logPin });
    const cosigned = key && report.ok ? cosignAll(store, taken, key, pulled) : [];
    for (const { bytes } of cosigned) await client.relay.giveCosigned(bytes);
    return passOf(report, taken, cosigned.length);
  } finally {
    store.close();
  }
}

function passOf(report: ExportReport, taken: readonly TakenEpoch[], cosigned: number): Pass {
  const { ok, failures, failureCount } = report;
  return {
    ok,
    failures,
    failureCount,
    epochs: taken.map(({ origin, before, size }) => ({ origin, before, size })),
    cosigned,
  };
}

function passLine({ ok, epochs, cosigned, failures, failureCount }: Pass): string {
  if (!ok) return [...failures.map(findingLine), `NOT ARCHIVED: ${failureCount} failures.`].join('\n');
  const added = epochs.reduce((sum, { before, size }) => sum + size - before, 0);
  const newest = epochs.at(-1)!;
  return `${added} leaves more, ${newest.origin} has ${newest.size}; ${cosigned} heads cosigned`;
}
