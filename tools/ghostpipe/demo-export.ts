/** The audit log of the demo's run, exported by the auditor of its site before the relay ends. */
import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseJson } from '../../protocol/canonical.ts';
import { nativeEngine } from '../../protocol/engine/native.ts';
import { Problem } from '../../protocol/problem.ts';
import type { ExportReport } from '../audit/export-check.ts';
import { RelayLog } from '../audit/relay-log.ts';
import { ToolProcess } from '../lib/tool-process.ts';
import type { EphemeralSite } from './ephemeral-site.ts';

/** A head comes every 30 s; a busy host may be late with it. */
const HEAD_PATIENCE_MS = 90_000;

export interface DemoExport {
  readonly folder: string;
  /** Pin of the log key of the relay, which is gone with the demo. */
  readonly logPin: string;
  readonly records: number;
  readonly heads: number;
}

/** Refuses `already-exists` unless the folder is empty or missing: better before the run than after it. */
export function refuseUsedFolder(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new Problem('already-exists', `${folder} is not empty`);
  }
}

/** Waits for the next head, which covers all that happened until now, and exports the log. Refuses what failed. */
export async function exportRun({ monitor, environment, site }: EphemeralSite, to: string): Promise<DemoExport> {
  await untilNextHead(new RelayLog(nativeEngine, monitor));
  const folder = resolve(to);
  let answer = '';
  const tool = new ToolProcess(['audit', 'export', '--to', folder, '--device-id', 'auditor', '--json'], {
    env: environment('auditor'),
    onLine: (line) => {
      answer = line;
    },
  });
  const code = await tool.exited;
  if (code !== 0) throw new Problem('log-export-invalid', `the export of the audit log ended with exit code ${code}`);
  const { epochs } = parseJson(Buffer.from(answer), 2 ** 20) as unknown as ExportReport;
  const sum = (count: 'records' | 'heads') => epochs.reduce((total, epoch) => total + epoch[count], 0);
  return { folder, logPin: site.settings.logPin, records: sum('records'), heads: sum('heads') };
}

async function untilNextHead(log: RelayLog): Promise<void> {
  const newest = async () => JSON.stringify((await log.heads())[0]);
  const before = await newest();
  const end = performance.now() + HEAD_PATIENCE_MS;
  while ((await newest()) === before) {
    if (performance.now() > end) {
      const fact = `the relay signed no new head within ${HEAD_PATIENCE_MS / 1000} s: the export would lack the end of the run`;
      throw new Problem('log-missing', fact);
    }
    await sleep(500);
  }
}
