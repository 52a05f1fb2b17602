/** Where a sender's records come from: lines of standard input, named files, a watched folder. */
import { lstatSync } from 'node:fs';
import type { SourceState } from '../../protocol/payload.ts';
import { asProblem, Problem } from '../../protocol/problem.ts';
import { type FileSourceOptions, takeFiles } from './file-source.ts';
import type { LineReading } from './line-source.ts';
import type { SenderOptions } from './options.ts';
import { WatchFolder } from './watch-folder.ts';

export interface SourcesOptions extends Omit<FileSourceOptions, 'after'> {
  readonly given: SenderOptions;
  /** Standard input, when it is a source: it may have begun before the others. */
  readonly lines: LineReading | null;
  /** Time between two looks at a watched folder. */
  readonly intervalMs: number;
}

/** What sources could not take, since the start of this process. */
export interface SourceCounters {
  /** Lines that no record can hold. */
  tooLong: number;
  /** Named files that could not be read. */
  filesRefused: number;
  /** Files of the watched folder that were put aside. */
  quarantined: number;
}

export class Sources {
  readonly counters: SourceCounters = { tooLong: 0, filesRefused: 0, quarantined: 0 };
  readonly #options: SourcesOptions;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #state: SourceState = 'ok';

  /** Begins to read; ends when `signal` aborts. Refuses `file-invalid` for what is not there. */
  constructor(options: SourcesOptions, signal: AbortSignal) {
    this.#options = options;
    const { given, lines } = options;
    for (const path of given.files) requireFile(path);
    const watch =
      given.watch === undefined
        ? null
        : new WatchFolder({ ...options, folder: given.watch, after: given.after, settleMs: given.settleMs });
    const stop = AbortSignal.any([signal, this.#end.signal]);
    const reading: Promise<void>[] = [];
    if (lines) reading.push(this.#lines(lines));
    if (given.files.length > 0) reading.push(this.#files(stop));
    if (watch) reading.push(this.#watch(watch, stop));
    this.#running = Promise.all(reading).then(
      () => {
        if (this.#state === 'ok') this.#state = 'ended';
      },
      (thrown: unknown) => {
        this.#state = 'failed';
        options.onProblem(asProblem(thrown));
      },
    );
  }

  /** `ok` while one of them may give more. */
  get state(): SourceState {
    return this.#state;
  }

  /** Ends the reading. */
  async finish(): Promise<void> {
    this.#end.abort();
    this.#options.lines?.end();
    await this.#running;
  }

  async #lines(lines: LineReading): Promise<void> {
    this.counters.tooLong = await lines.done;
  }

  async #files(signal: AbortSignal): Promise<void> {
    const paths = this.#options.given.files.map((path) => Buffer.from(path));
    this.counters.filesRefused = await takeFiles(paths, { ...this.#options, after: 'keep' }, signal);
  }

  async #watch(watch: WatchFolder, signal: AbortSignal): Promise<void> {
    const { clock, intervalMs, given } = this.#options;
    while (!signal.aborted) {
      await watch.look(signal);
      this.counters.quarantined = watch.quarantined;
      if (given.once && watch.isIdle) return;
      await clock.sleep(intervalMs, signal);
    }
  }
}

function requireFile(path: string): void {
  let isFile: boolean;
  try {
    isFile = lstatSync(path).isFile();
  } catch (thrown) {
    throw new Problem('file-invalid', `${path} cannot be opened (${(thrown as NodeJS.ErrnoException).code})`);
  }
  if (!isFile) throw new Problem('file-invalid', `${path} is not a regular file`);
}
