/**
 * `npm run uniformity [-- --json --slots N --long --out DIR]`: whether somebody on the wire can tell an eventful slot from
 * a quiet one. Exit codes: 0 no; 1 yes, or the run is void; 2 wrong usage; 3 it cannot run here.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { INTERVAL_MS, prove, roundsFor, STANDARD_SLOTS } from './proof.ts';
import { whyNoProof } from './requirements.ts';
import { judge, LONG_SLOTS, type Verdict } from './verdict.ts';

const EXIT = { ok: 0, failed: 1, usage: 2, couldNotRun: 3, interrupted: 130 } as const;
/** Fewer have too few pairs of scenes for a bound. */
const LEAST_SLOTS = 200;
const MOST_SLOTS = 1_000_000;
const USAGE = `usage: npm run uniformity [-- options]
  --slots N   watched slots of each wire (${LEAST_SLOTS} or more, default ${STANDARD_SLOTS}; some 2 a second)
  --long      ${LONG_SLOTS} slots, and the limits of a long run
  --out DIR   keep captures, TLS keys of the test and pictures in DIR, which must be empty or new
  --json      one JSON object as the last line
`;

process.exitCode = await main(process.argv.slice(2));

async function main(words: string[]): Promise<number> {
  const asked = parse(words);
  if (typeof asked === 'string') {
    process.stderr.write(`uniformity: ${asked}\n${USAGE}`);
    return EXIT.usage;
  }
  const why = whyNoProof();
  if (why) {
    process.stderr.write(`uniformity: ${why}\n`);
    return EXIT.couldNotRun;
  }
  const directory = asked.out ?? mkdtempSync(join(tmpdir(), 'ghostpipe-uniformity-'));
  const ends: (() => unknown)[] = [];
  const end = async (): Promise<void> => {
    for (const each of ends.splice(0).reverse()) await each();
    if (asked.out === undefined) rmSync(directory, { recursive: true, force: true });
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void end().then(() => process.exit(EXIT.interrupted)));
  }
  try {
    const proof = await prove(
      { teardown: (each) => void ends.push(each) },
      {
        directory,
        intervalMs: INTERVAL_MS,
        rounds: roundsFor(asked.slots),
        say: (progress) => void process.stderr.write(`uniformity: ${progress}\n`),
      },
    );
    const verdict = judge(proof, asked.isLong);
    tell(verdict);
    if (asked.json) process.stdout.write(`${JSON.stringify(verdict)}\n`);
    return verdict.verdict === 'ok' ? EXIT.ok : EXIT.failed;
  } catch (thrown) {
    process.stderr.write(`uniformity: ${(thrown as Error).message}\n`);
    return EXIT.failed;
  } finally {
    await end();
  }
}

/** What is asked for; a sentence when that cannot be. */
function parse(args: string[]) {
  try {
    const flag = { type: 'boolean', default: false } as const;
    const text = { type: 'string' } as const;
    const { values } = parseArgs({ args, options: { json: flag, long: flag, slots: text, out: text } });
    const slots = Number(values.slots ?? (values.long ? LONG_SLOTS : STANDARD_SLOTS));
    if (!Number.isInteger(slots) || slots < LEAST_SLOTS || slots > MOST_SLOTS) {
      return `--slots is ${values.slots}, expected a whole number from ${LEAST_SLOTS} to ${MOST_SLOTS}`;
    }
    return { json: values.json, isLong: values.long, slots, out: values.out && emptyFolder(values.out) };
  } catch (thrown) {
    return (thrown as Error).message;
  }
}

function emptyFolder(path: string): string {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (readdirSync(path).length > 0) throw new Error(`${path} is not empty`);
  return resolve(path);
}

/** The figures for people, on stderr: stdout is for the last line. */
function tell({ verdict, faults, captures, controlAuc, invariantVariance, treeGrowthVariance }: Verdict): void {
  const lines = [
    `naive sender: AUC ${controlAuc.toFixed(3)}`,
    ...captures.flatMap(({ name, slots, auc, aucBound, miBits, miBound, paired }) => [
      `${name}: AUC ${auc.toFixed(3)}, chance stays below ${aucBound.toFixed(3)}; ${slots} slots`,
      `${name}: ${miBits.toFixed(3)} bits a slot, chance stays below ${miBound.toFixed(3)}`,
      ...paired.map(({ what, medianMs, lowMs, highMs }) => {
        const figure = (ms: number | null) => (ms === null ? 'not measured' : ms.toFixed(3));
        return `${name}: ${what}, eventful minus quiet: ${figure(medianMs)} ms, ${figure(lowMs)} to ${figure(highMs)}`;
      }),
    ]),
    `largest variance of an invariant: ${invariantVariance}; of the log's growth: ${treeGrowthVariance ?? 'not measured'}`,
    ...faults.map((fault) => `fault: ${fault}`),
    verdict,
  ];
  for (const line of lines) process.stderr.write(`uniformity: ${line}\n`);
}
