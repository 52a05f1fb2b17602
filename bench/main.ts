/**
 * `npm run bench [-- PART ...] [--json] [--quick]`: medians and ratios of one run; ratios are against a limit measured
 * beside. An aim that is missed is said and is no failure.
 *
 * Exit codes: 0 measured; 1 failed, or a comparison does not count; 2 wrong usage; 3 something cannot be measured here.
 */
import { parseArgs } from 'node:util';
import { listenForStop } from '../tools/lib/stop.ts';
import { benchAudit } from './audit.ts';
import { CannotMeasure, type Figures, type PartResult } from './figures.ts';
import { benchLog } from './log.ts';
import { benchRelay } from './relay.ts';
import { benchSeal } from './seal.ts';

interface Context {
  readonly quick: boolean;
  readonly asked: AbortSignal;
}

const PARTS: Record<string, (context: Context) => Promise<PartResult>> = {
  seal: benchSeal,
  relay: benchRelay,
  log: benchLog,
  audit: benchAudit,
};
const NAMES = Object.keys(PARTS);
/** What a part that cannot be measured leaves null. */
const AIMS: Record<string, readonly string[]> = {
  seal: ['seal.ratio', 'open.ratio'],
  relay: ['relay.cpuRatio', 'relay.p99OverP50', 'relay.rssOverheadMiB', 'relay.rssGrowthMiB'],
  log: [
    'log.appendRatio',
    'log.recordsPerSecond',
    'log.requiredRecordsPerSecond',
    'log.mibPerMillion',
    'log.proofP99Ms',
  ],
  audit: ['audit.exportSeconds', 'audit.verifySeconds', 'audit.exportPeakMiB', 'audit.verifyPeakMiB'],
};

process.exitCode = await main();

async function main(): Promise<number> {
  const asked = wordsOf(process.argv.slice(2));
  if (typeof asked === 'string') {
    process.stderr.write(`bench: ${asked}\n  npm run bench [-- PART ... --json --quick]; parts: ${NAMES.join(', ')}\n`);
    return 2;
  }
  const stop = listenForStop();
  try {
    const { code, figures } = await runParts(asked.wanted, { quick: asked.quick, asked: stop.asked });
    print(figures, asked.json);
    return code;
  } catch (thrown) {
    if (!stop.asked.aborted) throw thrown;
    process.stderr.write('bench: stopped\n');
    return 1;
  } finally {
    stop.dispose();
  }
}

/** What is asked for; a sentence when that cannot be. */
function wordsOf(argv: string[]): { wanted: readonly string[]; json: boolean; quick: boolean } | string {
  try {
    const options = { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } as const;
    const { values, positionals } = parseArgs({ args: argv, allowPositionals: true, options });
    const unknown = positionals.find((part) => !NAMES.includes(part));
    if (unknown !== undefined) return `there is no part "${unknown}"`;
    return { ...values, wanted: positionals.length > 0 ? positionals : NAMES };
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

/** Runs each part; the worst that happened decides the exit code. */
async function runParts(wanted: readonly string[], context: Context): Promise<{ code: number; figures: Figures }> {
  const figures: Figures = {};
  let code = 0;
  for (const part of wanted) {
    process.stderr.write(`bench: ${part} ...\n`);
    try {
      const result = await PARTS[part]!(context);
      Object.assign(figures, result.figures);
      for (const note of result.notes) process.stderr.write(`bench: ${part}: ${note}\n`);
      if (result.void === undefined) continue;
      process.stderr.write(`bench: ${part}: the ratio is void, ${result.void}\n`);
      code = 1;
    } catch (thrown) {
      if (!(thrown instanceof CannotMeasure)) throw thrown;
      process.stderr.write(`bench: ${part} cannot be measured here: ${thrown.message}\n`);
      for (const name of AIMS[part]!) figures[name] = null;
      code = Math.max(code, 3);
    }
  }
  return { code, figures };
}

function print(figures: Figures, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify(figures)}\n`);
    return;
  }
  for (const [name, value] of Object.entries(figures)) process.stdout.write(`${name.padEnd(28)} ${value}\n`);
}
