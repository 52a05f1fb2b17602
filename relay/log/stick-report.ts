/** What is said of the stick: in records of the log, and in words for who looks after the relay. */
import type { AuditMode } from '../../protocol/log-action.ts';
import type { Draft } from './draft.ts';
import type { StickState } from './stick-attach.ts';

export interface StickReportOptions {
  readonly isRequired: boolean;
  /** Name of the relay. */
  readonly name: string;
  /** POSIX milliseconds. */
  readonly wall: () => number;
  readonly onFinding: (fact: string) => void;
}

export class StickReport {
  readonly #options: StickReportOptions;
  #record: (draft: Draft) => void = () => {};
  /** What the log says of it. */
  #told: StickState | null = null;
  /** Since when it is not as it should be; null when it is. */
  #sinceMs: number | null;

  constructor(options: StickReportOptions) {
    this.#options = options;
    this.#sinceMs = options.wall();
  }

  /** From now on records can be made. */
  begin(record: (draft: Draft) => void): void {
    this.#record = record;
  }

  /** Since when the stick does not do what it should, in words; null while it does. */
  get degradedSince(): string | null {
    return this.#sinceMs === null ? null : new Date(this.#sinceMs).toISOString();
  }

  /** What is wrong, and what it costs; null when nothing is. */
  alarm(state: StickState, unarchived: number): string | null {
    if (this.#sinceMs === null) return null;
    const cost = this.#options.isRequired ? 'no new block is taken' : 'a power cut would lose them';
    const is = state === 'ready' ? 'being brought up to date' : state;
    return `degraded since ${this.degradedSince}: the stick is ${is}, ${unarchived} records are not on it, ${cost}`;
  }

  /** A stick is there. */
  attached(id: string, freeMiB: number): void {
    this.#record({ act: 'stick.attached', obj: { freeMiB }, res: 'success', src: { id, k: 'stick' } });
  }

  /** It has everything. */
  ready(mode: AuditMode): void {
    this.#sinceMs = null;
    this.#state('ready');
    this.mode(mode);
  }

  /** It failed; `id` is that of the stick that was there. */
  failed(state: StickState, thrown: unknown, id: string | null): void {
    this.#sinceMs ??= this.#options.wall();
    if (state === this.#told) return;
    const detail = thrown instanceof Error ? thrown.message : String(thrown);
    this.#options.onFinding(`the stick is ${state}: ${detail}`);
    if (state === 'missing' && id) {
      this.#record({ act: 'stick.removed', obj: {}, res: 'success', src: { id, k: 'stick' } });
    }
    this.#state(state);
  }

  /** The log promises something else now. */
  mode(mode: AuditMode): void {
    this.#record({ act: 'log.mode', obj: { mode }, res: 'success', src: this.#self });
  }

  /** An epoch was found that was before all that are kept. */
  imported(origin: string, size: number, root: string, isWhole: boolean): void {
    const res = isWhole ? 'success' : 'failure';
    this.#record({ act: 'import.prev', obj: { origin, root, size }, res, src: this.#self });
  }

  #state(state: StickState): void {
    this.#told = state;
    const res = state === 'ready' ? 'success' : 'failure';
    this.#record({ act: 'log.storage', obj: { state }, res, src: this.#self });
  }

  get #self() {
    return { id: this.#options.name, k: 'relay' } as const;
  }
}
