/** What a part of the bench gives, and the arithmetic of it. */

/** Figures by name, as `part.figure`; a word where no number tells it, null for what was not measured. */
export type Figures = Record<string, number | string | null>;

export interface PartResult {
  readonly figures: Figures;
  /** Sentences for who reads: what was reached, where it falls short, where the time goes. */
  readonly notes: readonly string[];
  /** Set when the comparison does not count: why. */
  readonly void?: string;
}

/** What keeps a part from being measured on this machine: Debian, a network, a folder in memory. */
export class CannotMeasure extends Error {}

/** The value below which `share` (0 to 1) of the values lie, nearest rank. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** To two places behind the point, which is more than any of these timings is worth. */
export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

/** A sentence that says whether `value` is within `limit`. */
export function judge(what: string, value: number, limit: number): string {
  const word = value <= limit ? 'reached' : 'NOT reached';
  return `${what}: ${round(value)}, aim ${limit}: ${word}`;
}
