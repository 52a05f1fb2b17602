/**
 * What others can cause as often as they like: counted, and recorded once a minute for each kind, so that nobody fills
 * the log. Kinds are bounded too, those of strangers more narrowly; what is beyond them is one more kind.
 */
import type { Draft } from './draft.ts';

const MINUTE_MS = 60_000;
/** Kinds that devices of the site can cause within a minute. */
const MAX_KINDS = 1024;
/** Kinds that strangers can cause: a flood from many addresses is some ten records a minute and not one for each. */
const MAX_STRANGE_KINDS = 32;

export interface Kind {
  /** Names it: two of one key are the same. */
  readonly key: string;
  readonly draft: (count: number) => Draft;
}

interface Count extends Pick<Kind, 'draft'> {
  count: number;
}

export class Counts {
  readonly #record: (draft: Draft) => void;
  readonly #now: () => number;
  readonly #known = new Map<string, Count>();
  readonly #strange = new Map<string, Count>();
  #sinceMs: number;

  /** `record` gets a record for each kind and minute; `now` gives monotonic milliseconds. */
  constructor(record: (draft: Draft) => void, now: () => number) {
    this.#record = record;
    this.#now = now;
    this.#sinceMs = now();
  }

  /** Counts what a device of the site, or an operator, did; what is beyond the bound is in the metrics only. */
  known({ key, draft }: Kind): void {
    count(this.#known, key, draft, MAX_KINDS);
  }

  /** Counts what a stranger did; `others` is the kind for all that is beyond the bound. */
  strange({ key, draft }: Kind, others: Kind): void {
    if (!count(this.#strange, key, draft, MAX_STRANGE_KINDS)) {
      count(this.#strange, others.key, others.draft, Number.POSITIVE_INFINITY);
    }
  }

  /** Time passes: records what was counted, once a minute. */
  tick(): void {
    if (this.#now() - this.#sinceMs >= MINUTE_MS) this.tell();
  }

  /** Records what was counted, now. */
  tell(): void {
    this.#sinceMs = this.#now();
    for (const counts of [this.#known, this.#strange]) {
      const told = [...counts.values()];
      counts.clear();
      for (const { draft, count } of told) this.#record(draft(count));
    }
  }
}

/** Whether it was counted: a new kind is not when there are as many. */
function count(counts: Map<string, Count>, key: string, draft: Kind['draft'], most: number): boolean {
  const known = counts.get(key);
  if (!known && counts.size >= most) return false;
  counts.set(key, { draft, count: (known?.count ?? 0) + 1 });
  return true;
}
