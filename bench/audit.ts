/** `npm run bench -- audit`: a million log records exported from a running relay, verified, and archived. */
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

export async function benchAudit({ quick, asked }: { quick: boolean; asked: AbortSignal }): Promise<PartResult> {
  const records = quick ? QUICK_RECORDS : RECORDS;
  process.env.GHOSTPIPE_BENCH_RECORDS = String(records);
  const work = mkdtempSync(join(tmpdir(), 'ghostpipe-bench-'));
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
    await untilCovered(new RelayLog(nativeEngine, site.monitor), records);
    const env = { ...process.env, ...site.environment('auditor') };
    const to = join(work, 'audit');
    const exported = await measured(['export', '--to', to, '--device-id', 'auditor'], env, asked);
    const verified = await measured(['verify', to], env, asked);
    const archived = await measured(['archive', to, '--into', join(work, 'archive')], env, asked);
    const again = await measured(['export', '--to', to, '--device-id', 'auditor'], env, asked);
    const scale = RECORDS / records;
    const figures = {
      'audit.records': records,
      'audit.exportSeconds': round(exported.seconds),
      'audit.exportAgainSeconds': round(again.seconds),
      'audit.verifySeconds': round(verified.seconds),
      'audit.archiveSeconds': round(archived.seconds),
      'audit.exportPeakMiB': round(exported.peakMiB),
      'audit.verifyPeakMiB': round(verified.peakMiB),
    };
    return {
      figures,
      notes: [
        judge('seconds to export a million records, and verify them on the way', exported.seconds * scale, AIM_SECONDS),
        judge('seconds to verify a million records', verified.seconds * scale, AIM_SECONDS),
        judge('MiB of memory while exporting', exported.peakMiB, AIM_RSS_MIB),
        judge('MiB of memory while verifying', verified.peakMiB, AIM_RSS_MIB),
      ],
    };
  } finally {
    await site.close();
    rmSync(work, { recursive: true, force: true });
  }
}

/** Waits until signed heads cover so many records. */
async function untilCovered(log: RelayLog, records: number): Promise<void> {
  const end = performance.now() + HEAD_PATIENCE_MS;
  const covered = async () => (await log.heads()).reduce((most, { size }) => Math.max(most, size), 0);
  while ((await covered()) < records) {
    if (performance.now() > end)
      throw new Error(`no head covers ${records} records after ${HEAD_PATIENCE_MS / 1000} s`);
    await sleep(500);
  }
}

/** Runs a subcommand of ghostpipe-audit as a process of its own. */
async function measured(words: readonly string[], env: NodeJS.ProcessEnv, asked: AbortSignal): Promise<Run> {
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
