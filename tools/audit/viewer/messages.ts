/** What the page and its worker say to each other. Bytes are in text forms, so that the page only has to show them. */
import type { Category } from '../../../protocol/log-action.ts';
import type { Finding } from '../findings.ts';
import type { Timeline } from './record-index.ts';

/** Which records to list, the newest first. */
export interface RecordQuery {
  /** Must stand in the record, in small or capital letters; empty for all. */
  readonly text: string;
  readonly category: Category | '';
  /** Only what does not hold. */
  readonly onlyBroken: boolean;
  /** Wall time in milliseconds, `toMs` excluded. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Go on below this leaf; null for the first page. */
  readonly after: Position | null;
}

/** A leaf, by the number of its epoch in the verdict. */
export interface Position {
  readonly epoch: number;
  readonly index: number;
}

export interface RecordRow extends Position {
  readonly holds: boolean;
  /** A record that holds: time, category, action, result, who, what. */
  readonly summary: { readonly t: number; readonly cat: Category; readonly words: readonly string[] } | null;
  /** The beginning of the record as it stands there. */
  readonly text: string;
}

export interface HeadRow {
  readonly size: number;
  readonly seconds: number;
  readonly root: string;
  readonly file: string;
}

export interface EpochRow {
  /** Its folder below the export; empty for the root. */
  readonly at: string;
  readonly origin: string;
  readonly id: string;
  readonly openedMs: number;
  readonly boot: string;
  readonly software: string;
  /** The epoch before and how far it went; null when it knew of none. */
  readonly before: { readonly origin: string; readonly tailSize: number; readonly source: string } | null;
  /** Leaves to be verified, and records of them that hold. */
  readonly leaves: number;
  readonly held: number;
  /** The newest heads whose signatures hold, the newest first, and how many there are. */
  readonly heads: readonly HeadRow[];
  readonly headCount: number;
}

/** All that a check found. */
export interface Verdict {
  /** Whether the files were those of a folder, or the copy in the page. */
  readonly isFolder: boolean;
  /** The pin of the log key that the export itself names; empty when it names none. */
  readonly pin: string;
  readonly failures: readonly Finding[];
  readonly failureCount: number;
  readonly notices: readonly string[];
  /** Oldest first. */
  readonly epochs: readonly EpochRow[];
  readonly timeline: Timeline | null;
}

/** One step of the way from a leaf to the root. */
export interface DrawnStep {
  readonly sibling: string;
  readonly isLeft: boolean;
  readonly from: number;
  readonly below: number;
  readonly node: string;
}

export interface RecordDetail extends Position {
  readonly origin: string;
  readonly text: string;
  /** Why it does not hold; null when it does. */
  readonly problem: string | null;
  /** Null when the hashes of the way are not here. */
  readonly proof: {
    readonly leaf: string;
    readonly steps: readonly DrawnStep[];
    readonly size: number;
    readonly root: string;
    readonly seconds: number;
  } | null;
}

export type Request =
  | { readonly kind: 'carried'; readonly packed: Uint8Array }
  | { readonly kind: 'folder'; readonly files: readonly (readonly [string, Blob])[] }
  | { readonly kind: 'records'; readonly query: RecordQuery }
  | { readonly kind: 'record'; readonly position: Position };

export type Answer =
  | { readonly kind: 'progress'; readonly what: string; readonly done: number; readonly all: number }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'refused'; readonly detail: string }
  | { readonly kind: 'records'; readonly rows: readonly RecordRow[]; readonly after: Position | null }
  | { readonly kind: 'record'; readonly detail: RecordDetail };
