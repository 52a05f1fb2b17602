/** `ghostpipe-audit watch`: an archive that pulls the log of a running relay again and again, and signs for what it holds. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { asProblem, type ProblemCode } from '../../protocol/problem.ts';
import { CLIENT_OPTIONS, type Client, openClient } from '../lib/client.ts';
import { type CommandSpec, EXIT, integerOption, printJson, requiredOption, runCommand } from '../lib/command.ts';
import { Notices } from '../lib/notices.ts';
import { listenForStop } from '../lib/stop.ts';
import { COSIGNER_OPTION, cosignAll } from './archive.ts';
import { type Intake, isComplete, takeIn } from './archive-intake.ts';
import { ArchiveStore } from './archive-store.ts';
import { type CosignerKey, readCosignerKey } from './cosigner-key.ts';
import { type Followed, followEpoch } from './epoch-follow.ts';
import { fetchEpoch } from './epoch-pull.ts';
import { pullLog } from './export.ts';
import type { ExportReport } from './export-check.ts';
import { findingLine } from './findings.ts';
import { RelayLog } from './relay-log.ts';

const NAME = 'ghostpipe-audit watch';
const EVERY_SECONDS = 30;
/** In the archive: an export, while an epoch is taken in that is new here. */
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

/** What the relay or the way to it may be short of for a while; all else is evidence, or a fault of this host. */
const PASSING: ReadonlySet<ProblemCode> = new Set([
  'relay-unreachable',
  'relay-answer-invalid',
  'not-available',
  'revoked',
]);

/**
 * Runs until SIGTERM, which ends it at once: what a pass left half done is done again by the next. A relay that is away or
 * refuses is asked again in the next pass; a log that does not hold, or contradicts what the archive has, ends it with exit
 * code 1: somebody has to look.
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
    try {
      for (let isAsked = false; !isAsked; ) {
        const startedMs = performance.now();
        try {
          const pass = await archiveOnce(client, into, key);
          if (json) printJson(pass);
          else process.stdout.write(`${passLine(pass)}\n`);
          if (!pass.ok) return EXIT.failed;
          if (once) return EXIT.ok;
        } catch (thrown) {
          const problem = asProblem(thrown);
          if (once || !(PASSING.has(problem.code) || problem.status === 503)) throw problem;
          notices.problem(problem);
        }
        isAsked = await isAskedToStop(Math.max(0, startedMs + everyMs - performance.now()));
      }
      return EXIT.ok;
    } finally {
      client.relay.close();
    }
  });
}

/** Waits; true when a signal came. Only here one is listened to: verifying would answer it too late. */
async function isAskedToStop(ms: number): Promise<boolean> {
  const stop = listenForStop();
  try {
    await sleep(ms, undefined, { signal: stop.asked }).catch(() => {});
    return stop.asked.aborted;
  } finally {
    stop.dispose();
  }
}

/** Of a pass that would have thrown otherwise. */
const HELD = { ok: true, failures: [], failureCount: 0 } as const;

/** What one pass brought. */
interface Pass extends Pick<ExportReport, 'ok' | 'failures' | 'failureCount'> {
  readonly epochs: readonly { readonly origin: string; readonly before: number; readonly size: number }[];
  readonly cosigned: number;
}

async function archiveOnce(client: Client, into: string, key: CosignerKey | null): Promise<Pass> {
  const store = new ArchiveStore(into, client.profile.logPin);
  try {
    await client.membership.join();
    const log = new RelayLog(nativeEngine, client.relay);
    const newest = await fetchEpoch(nativeEngine, log, client.profile.logPin);
    const known = store.epoch(newest.id);
    const size = known?.headSizes.at(-1);
    const intake = known && size && isComplete(known, size) ? null : await takeAll(client, store);
    const taken = intake?.taken ?? [await followEpoch(nativeEngine, log, store, newest)];
    const cosigned = key ? cosignAll(store, taken, key, null) : [];
    for (const { bytes } of cosigned) await client.relay.giveCosigned(bytes);
    return passOf(intake?.report ?? HELD, taken, cosigned.length);
  } finally {
    store.close();
  }
}

/** An epoch that the archive has not seen: all that the relay keeps, as an export that is taken in and goes again. */
async function takeAll(client: Client, store: ArchiveStore): Promise<Intake> {
  const pulled = join(store.path, PULLED);
  const report = await pullLog(client, pulled, null);
  if (!report.ok) return { report, taken: [] };
  const intake = takeIn(store, pulled, { engine: nativeEngine, logPin: client.profile.logPin });
  if (intake.report.ok) rmSync(pulled, { recursive: true, force: true });
  return intake;
}

function passOf(
  report: Pick<ExportReport, 'ok' | 'failures' | 'failureCount'>,
  taken: readonly Followed[],
  cosigned: number,
): Pass {
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
