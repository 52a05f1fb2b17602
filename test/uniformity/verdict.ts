/** What a proof says: whether the control was found, whether anything else was, and why. */
import type { PairedTiming } from './analysis.ts';
import type { Proof } from './proof.ts';

/** The naive sender must be told better than this, or the run shows nothing. */
const LEAST_CONTROL_AUC = 0.9;
/** Of a long run. */
export const LONG_SLOTS = 20_000;
const LONG_AUC = { least: 0.48, most: 0.52 };
const LONG_PAIRED_MS = 0.25;

export interface Verdict {
  /** `void` when the control was not found, whatever else was. */
  readonly verdict: 'ok' | 'failed' | 'void';
  /** Of the capture that comes nearest to its bound, or is farthest above it. */
  readonly auc: number;
  readonly aucBound: number;
  readonly controlAuc: number;
  /** The largest of all. */
  readonly invariantVariance: number;
  /** Null when the run was too short for the heads of the log. */
  readonly treeGrowthVariance: number | null;
  /** The median difference farthest from zero; null when there were too few pairs. */
  readonly pairedMs: number | null;
  /** Watched slots of the capture that has the fewest. */
  readonly slots: number;
  /** Sentences; none when all held. */
  readonly faults: readonly string[];
  readonly captures: Proof['findings'];
}

/** Judges a proof; `isLong` by the limits of a long run too. */
export function judge(proof: Proof, isLong = false): Verdict {
  const { findings, control } = proof;
  const [nearest] = findings.toSorted((a, b) => b.auc - b.aucBound - (a.auc - a.aucBound));
  const variances = Object.values(proof.invariants).flatMap(({ variances }) => Object.values(variances));
  const medians = timings(proof).flatMap(({ medianMs }) => (medianMs === null ? [] : [medianMs]));
  const slots = Math.min(...findings.map((finding) => finding.slots));
  const faults = [...faultsOf(proof), ...(isLong ? longFaults(proof, slots) : [])];
  const isVoid = !(control.auc > LEAST_CONTROL_AUC);
  if (isVoid) faults.unshift(`the naive sender is told with AUC ${control.auc}, expected above ${LEAST_CONTROL_AUC}`);
  return {
    verdict: isVoid ? 'void' : faults.length > 0 ? 'failed' : 'ok',
    auc: nearest!.auc,
    aucBound: nearest!.aucBound,
    controlAuc: control.auc,
    invariantVariance: Math.max(...variances),
    treeGrowthVariance: proof.treeGrowthVariance,
    pairedMs: medians.toSorted((a, b) => Math.abs(b) - Math.abs(a))[0] ?? null,
    slots,
    faults,
    captures: findings,
  };
}

function faultsOf({ findings, invariants, treeGrowthVariance }: Proof): string[] {
  return [
    ...Object.entries(invariants).flatMap(([name, { variances, slots }]) => [
      ...(slots === 0 ? [`${name}: no slot was seen`] : []),
      ...Object.entries(variances)
        .filter(([, variance]) => variance !== 0)
        .map(([figure, variance]) => `${name}: ${figure} varies by ${variance} over slots, expected 0`),
    ]),
    ...(treeGrowthVariance ? [`the log's heads grow by a variance of ${treeGrowthVariance}, expected 0`] : []),
    ...findings
      .filter(({ auc, aucBound }) => auc >= aucBound)
      .map(
        ({ name, auc, aucBound }) => `${name}: eventful slots are told with AUC ${auc}, chance stays below ${aucBound}`,
      ),
  ];
}

function longFaults(proof: Proof, slots: number): string[] {
  const { least, most } = LONG_AUC;
  return [
    ...(slots < LONG_SLOTS ? [`${slots} slots were watched, a long run has ${LONG_SLOTS}`] : []),
    ...(proof.treeGrowthVariance === null ? ['the growth of the log was not measured'] : []),
    ...proof.findings
      .filter(({ auc }) => auc < least || auc > most)
      .map(({ name, auc }) => `${name}: AUC ${auc} is not within ${least} and ${most}`),
    ...timings(proof)
      .filter((timing) => !isNothing(timing))
      .map(({ name, what, medianMs, lowMs, highMs }) => {
        return `${name}: ${what} differs by ${medianMs} ms (${lowMs} to ${highMs}), expected 0 within ${LONG_PAIRED_MS} ms`;
      }),
  ];
}

/** Whether the interval is narrow and zero is in it. */
function isNothing({ lowMs, highMs }: PairedTiming): boolean {
  if (lowMs === null || highMs === null) return false;
  return lowMs <= 0 && highMs >= 0 && lowMs >= -LONG_PAIRED_MS && highMs <= LONG_PAIRED_MS;
}

function timings({ findings }: Proof): (PairedTiming & { readonly name: string })[] {
  return findings.flatMap(({ name, paired }) => paired.map((timing) => ({ ...timing, name })));
}
