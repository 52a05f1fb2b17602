/**
 * `npm run bench -- audit`: a million log records exported from a running relay, verified, archived, and sealed; and the
 * archive of a hundred epochs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { nativeEngine } from '../protocol/engine/native.ts';
import { RelayLog } from '../tools/audit/relay-log.ts';
import { openEphemeralSite } from '../tools/ghostpipe/ephemeral-site.ts';
import { TRIAL_DEVICES } from '../tools/ghostpipe/start.ts';
import { DISPATCHER } from '../tools/lib/tool-process.ts';
import { judge, type PartResult, round } from './figures.ts';
import { rssMiBOf } from './process-stat.ts';

const RELAY = fileURLToPath(new URL('./audit-relay.ts', import.meta.url));
const RECORDS = 1_000_000;
const QUICK_RECORDS = 20_000;
const EPOCHS = 100;
const QUICK_EPOCHS = 3;
const EPOCH_RECORDS = 1000;
/** Aims for a million records. */
const AIM_SECONDS = 60;
/** What a process that reads a bundle at a time may take, however long the log is. */
const AIM_RSS_MIB = 512;
/** A head is due every 30 s. */
const HEAD_PATIENCE_MS = 60_000;

interface Run {
  readonly seconds: number;
  readonly peakMiB: number;
}

interface Work {
  /** A folder for what the programs write. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly asked: AbortSignal;
}

export async function benchAudit({ quick, asked }: { quick: boolean; asked: AbortSignal }): Promise<PartResult> {
  const records = quick ? QUICK_RECORDS : RECORDS;
  const long = await withLog(records, 1, asked, benchLong);
  const epochs = quick ? QUICK_EPOCHS : EPOCHS;
  const many = await withLog(epochs * EPOCH_RECORDS, epochs, asked, benchMany);
  const scale = RECORDS / records;
  return {
    figures: { 'audit.records': records, ...long, 'audit.epochs': epochs, ...many },
    notes: [
      judge(
        'seconds to export a million records, and verify them on the way',
        long['audit.exportSeconds'] * scale,
        AIM_SECONDS,
      ),
      judge('seconds to verify a million records', long['audit.verifySeconds'] * scale, AIM_SECONDS),
      judge('MiB of memory while exporting', long['audit.exportPeakMiB'], AIM_RSS_MIB),
      judge('MiB of memory while verifying', long['audit.verifyPeakMiB'], AIM_RSS_MIB),
    ],
  };
}

async function benchLong(work: Work) {
  const to = join(work.folder, 'audit');
  const exported = await measured(['export', '--to', to, '--device-id', 'auditor'], work);
  const verified = await measured(['verify', to], work);
  const archived = await measured(['archive', to, '--into', join(work.folder, 'archive')], work);
  const again = await measured(['export', '--to', to, '--device-id', 'auditor'], work);
  const key = join(work.folder, 'auditor.json');
  await measured(['auditor-key', '--out', key], work);
  const sealed = join(work.folder, 'sealed');
  const sealing = await measured(['export', '--to', sealed, '--device-id', 'auditor', '--seal-to', `${key}.pub`], work);
  const opened = await measured(['verify', sealed, '--auditor-key', key], work);
  return {
    'audit.exportSeconds': round(exported.seconds),
    'audit.exportAgainSeconds': round(again.seconds),
    'audit.verifySeconds': round(verified.seconds),
    'audit.archiveSeconds': round(archived.seconds),
    'audit.exportSealedSeconds': round(sealing.seconds),
    'audit.verifySealedSeconds': round(opened.seconds),
    'audit.exportPeakMiB': round(exported.peakMiB),
    'audit.verifyPeakMiB': round(verified.peakMiB),
  };
}

async function benchMany(work: Work) {
  const [to, into] = [join(work.folder, 'audit'), join(work.folder, 'archive')];
  const exported = await measured(['export', '--to', to, '--device-id', 'auditor'], work);
  const archived = await measured(['archive', to, '--into', into], work);
  const again = await measured(['archive', to, '--into', into], work);
  return {
    'audit.epochsExportSeconds': round(exported.seconds),
    'audit.epochsArchiveSeconds': round(archived.seconds),
    'audit.epochsArchiveAgainSeconds': round(again.seconds),
  };
}

/** What `bench` finds at a relay whose log has so many records in so many epochs. */
async function withLog<T>(
  records: number,
  epochs: number,
  asked: AbortSignal,
  bench: (work: Work) => Promise<T>,
): Promise<T> {
  process.env.GHOSTPIPE_BENCH_RECORDS = String(records);
  process.env.GHOSTPIPE_BENCH_EPOCHS = String(epochs);
  const folder = mkdtempSync(join(tmpdir(), 'ghostpipe-bench-'));
  const site = await openEphemeralSite(nativeEngine, {
    name: 'bench',
    blockSize: 65_536,
    intervalMs: 1000,
    slots: 4,
    logQuantum: 1,
    logLevel: 'error',
    devices: TRIAL_DEVICES,
    relayScript: RELAY,
  });
  try {
    await untilCovered(new RelayLog(nativeEngine, site.monitor), Math.floor(records / epochs));
    return await bench({ folder, env: { ...process.env, ...site.environment('auditor') }, asked });
  } finally {
    await site.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Waits until a signed head of the newest epoch covers so many records. */
async function untilCovered(log: RelayLog, records: number): Promise<void> {
  const end = performance.now() + HEAD_PATIENCE_MS;
  const covered = async () => (await log.heads())[0]?.size ?? 0;
  while ((await covered()) < records) {
    if (performance.now() > end)
      throw new Error(`no head covers ${records} records after ${HEAD_PATIENCE_MS / 1000} s`);
    await sleep(500);
  }
}

/** Runs a subcommand of ghostpipe-audit as a process of its own. */
async function measured(words: readonly string[], { env, asked }: Work): Promise<Run> {
  const started = performance.now();
  const tool = spawn(process.execPath, [DISPATCHER, 'audit', ...words], { env, stdio: 'ignore', signal: asked });
  let peakMiB = 0;
  const watching = setInterval(() => {
    try {
      peakMiB = Math.max(peakMiB, rssMiBOf(tool.pid!));
    } catch {} // it has just ended
  }, 50);
  const [code] = await once(tool, 'exit');
  clearInterval(watching);
  if (code !== 0) throw new Error(`ghostpipe-audit ${words[0]} ended with exit code ${code}`);
  return { seconds: (performance.now() - started) / 1000, peakMiB };
}
