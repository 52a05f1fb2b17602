/**
 * What happened in a period, from records that hold: how much of which action, hour by hour or day by day, and one by
 * one what an auditor looks at first: everything that failed or was denied, and every change of who may do what.
 */
import { ACTIONS, type Action, CATEGORIES, type Category, type Result } from '../../protocol/log-action.ts';
import type { LogEvent } from '../../protocol/log-record.ts';

/** Records that are listed one by one; more are counted. */
const MOST_LISTED = 1000;
const HOUR_MS = 3_600_000;
/** Steps of the timeline, from fine to coarse, and how many it may have. */
const STEPS_MS = [60_000, 600_000, HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, 30 * 24 * HOUR_MS];
const MOST_STEPS = 120;
/** Successes that are listed all the same. */
const CHANGES: readonly Category[] = ['config', 'backup', 'os'];
const CHANGED_ACCESS: readonly Action[] = ['key.issued', 'key.revoked', 'did.revoked', 'log.mode', 'log.epoch.open'];

/** A period in wall-clock milliseconds: from `fromMs` to before `belowMs`. */
export interface Period {
  readonly fromMs: number;
  readonly belowMs: number;
}

/** How often an action ended how. */
export interface ActionCount {
  readonly act: Action;
  readonly category: Category;
  readonly result: Result;
  readonly count: number;
}

/** One record of note. */
export interface Listed {
  readonly origin: string;
  readonly event: LogEvent;
}

export interface ActivityReport {
  readonly period: Period;
  /** Records in the period. */
  readonly records: number;
  /** By event number of the catalogue. */
  readonly actions: readonly ActionCount[];
  readonly stepMs: number;
  /** From the period's first step to its last: how many records of each category. */
  readonly timeline: readonly { readonly startMs: number; readonly counts: Readonly<Record<Category, number>> }[];
  /** Oldest first, at most a thousand. */
  readonly listed: readonly Listed[];
  /** Records of note, listed or not. */
  readonly noted: number;
}

export class ActivityCount {
  readonly #wanted: Partial<Period>;
  readonly #actions = new Map<string, { readonly event: LogEvent; count: number }>();
  /** By minute: a year has half a million, which is the bound. */
  readonly #minutes = new Map<number, Record<Category, number>>();
  readonly #listed: Listed[] = [];
  #records = 0;
  #noted = 0;

  /** Counts records of that period, or of all time where an end is open. */
  constructor(wanted: Partial<Period>) {
    this.#wanted = wanted;
  }

  /** Counts a record that holds, if it is of the period. */
  add(origin: string, event: LogEvent): void {
    const { fromMs = 0, belowMs = Number.MAX_SAFE_INTEGER } = this.#wanted;
    if (event.t < fromMs || event.t >= belowMs) return;
    const category = ACTIONS[event.act].category;
    this.#records += 1;
    const key = `${event.act} ${event.res}`;
    const known = this.#actions.get(key);
    if (known) known.count += 1;
    else this.#actions.set(key, { event, count: 1 });
    const minute = Math.floor(event.t / STEPS_MS[0]!);
    const counts = this.#minutes.get(minute) ?? emptyCounts();
    counts[category] += 1;
    this.#minutes.set(minute, counts);
    if (!isNoted(event, category)) return;
    this.#noted += 1;
    if (this.#listed.length < MOST_LISTED) this.#listed.push({ origin, event });
  }

  /** The report so far; a period with an open end ends with its last record. */
  get report(): ActivityReport {
    const minutes = [...this.#minutes.keys()];
    const first = minutes.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY) * STEPS_MS[0]!;
    const last = minutes.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY) * STEPS_MS[0]! + STEPS_MS[0]!;
    const empty = minutes.length === 0;
    const { fromMs = empty ? 0 : first, belowMs = empty ? fromMs : last } = this.#wanted;
    const stepMs = STEPS_MS.find((step) => (belowMs - fromMs) / step <= MOST_STEPS) ?? STEPS_MS.at(-1)!;
    return {
      period: { fromMs, belowMs },
      records: this.#records,
      actions: [...this.#actions.values()]
        .map(({ event: { act, res }, count }) => ({ act, category: ACTIONS[act].category, result: res, count }))
        .sort((a, b) => ACTIONS[a.act].event - ACTIONS[b.act].event || (a.result < b.result ? -1 : 1)),
      stepMs,
      timeline: empty ? [] : this.#timeline(Math.max(first, fromMs), Math.min(last, belowMs), stepMs),
      listed: this.#listed,
      noted: this.#noted,
    };
  }

  #timeline(fromMs: number, belowMs: number, stepMs: number): ActivityReport['timeline'] {
    const start = Math.floor(fromMs / stepMs);
    const steps = Array.from({ length: Math.ceil(belowMs / stepMs) - start }, (_, i) => ({
      startMs: (start + i) * stepMs,
      counts: emptyCounts(),
    }));
    for (const [minute, counts] of this.#minutes) {
      const into = steps[Math.floor((minute * STEPS_MS[0]!) / stepMs) - start]!.counts;
      for (const category of CATEGORIES) into[category] += counts[category];
    }
    return steps;
  }
}

function emptyCounts(): Record<Category, number> {
  return Object.fromEntries(CATEGORIES.map((category) => [category, 0])) as Record<Category, number>;
}

function isNoted({ act, res }: LogEvent, category: Category): boolean {
  return res !== 'success' || CHANGES.includes(category) || CHANGED_ACCESS.includes(act);
}
