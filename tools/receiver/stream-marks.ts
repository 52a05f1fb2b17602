/**
 * How far each stream was received: which blocks were seen and which records are committed, by run.
 *
 * A mark is durable before its block is acknowledged. A relay can therefore delay and drop, but a block that it
 * gives twice is recognised, and a hole shows.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { canonicalText, parseJson } from '../../protocol/canonical.ts';
import type { Frame } from '../../protocol/frame.ts';
import { Problem } from '../../protocol/problem.ts';
import { RangeSet, strictRanges } from '../../protocol/ranges.ts';
import { type BlockReject, MAX_RECEIPT_REJECTS } from '../../protocol/receipt.ts';
import { REJECT_CODES } from '../../protocol/reject.ts';
import { check, integer, list, type Of, object, oneOf, text } from '../../protocol/shape.ts';
import { version1 } from '../../protocol/shapes.ts';
import { runStartedMs } from '../../protocol/stream.ts';
import { fromHex, toHex } from '../../protocol/text.ts';
import { readFileBounded, writeStateFile } from '../lib/files.ts';

const LIMIT = 1_048_576;
/** Runs whose blocks may still come in, late. */
const OPEN_RUNS = 8;
/** Earlier runs that are known by name: a block of theirs is a replay. */
const CLOSED_RUNS = 1024;
/** Pieces that one set of a run may fall into before its oldest part is given up. */
const MAX_PIECES = 512;

const hex16 = text('32 hexadecimal digits', 32, 32, /^[0-9a-f]*$/);
const sequence = integer(0, Number.MAX_SAFE_INTEGER);
const ranges = list(object({ first: sequence, count: sequence }), 0, MAX_PIECES);
const rejects = list(object({ blockSeq: sequence, code: oneOf(REJECT_CODES) }), 0, MAX_RECEIPT_REJECTS);
const markFile = object({
  v: version1,
  serial: sequence,
  open: list(object({ run: hex16, blocks: ranges, records: ranges, rejects }), 1, OPEN_RUNS),
  closed: list(hex16, 0, CLOSED_RUNS),
});
type MarkFile = Of<typeof markFile>;

/** What is known of one run. */
export interface RunMark {
  readonly run: Uint8Array;
  readonly blocks: RangeSet;
  records: RangeSet;
  /** The newest blocks that were rejected. */
  readonly rejects: BlockReject[];
}

/** How a block stands to what was received before. */
export type Standing = 'new' | 'new-run' | 'duplicate' | 'replay';

/** The mark of one stream of one sender. */
export class StreamMark {
  readonly #path: string;
  /** Runs whose blocks are still taken, oldest first. */
  #open: RunMark[];
  #closed: string[];
  #serial: number;

  constructor(path: string, file: MarkFile | null) {
    this.#path = path;
    this.#open = (file?.open ?? []).map((entry) => ({
      run: fromHex(entry.run, 16),
      blocks: strictRanges(entry.blocks, 'file-invalid'),
      records: strictRanges(entry.records, 'file-invalid'),
      rejects: [...entry.rejects],
    }));
    this.#closed = [...(file?.closed ?? [])];
    this.#serial = file?.serial ?? 0;
  }

  /** How a block with these fields stands to what was received before. */
  standing(frame: Pick<Frame, 'run' | 'blockSeq'>): Standing {
    const mark = this.#find(frame.run);
    if (mark) return mark.blocks.has(frame.blockSeq) ? 'duplicate' : 'new';
    return this.#isOld(frame.run) ? 'replay' : 'new-run';
  }

  /** The run that began last of those whose blocks are taken; undefined before the first block of the stream. */
  get newestRun(): Uint8Array | undefined {
    return this.#open.toSorted((a, b) => runStartedMs(a.run) - runStartedMs(b.run)).at(-1)?.run;
  }

  /** Whether a block of this run was ever taken, as far as runs are remembered. */
  knows(run: Uint8Array): boolean {
    return this.#find(run) !== undefined || this.#closed.includes(toHex(run));
  }

  /** The mark of a run that is taken; begins it when it is new. */
  runMark(run: Uint8Array): RunMark {
    const known = this.#find(run);
    if (known) return known;
    const mark: RunMark = { run: new Uint8Array(run), blocks: new RangeSet(), records: new RangeSet(), rejects: [] };
    this.#open.push(mark);
    while (this.#open.length > OPEN_RUNS) this.#closed.push(toHex(this.#open.shift()!.run));
    this.#closed = this.#closed.slice(-CLOSED_RUNS);
    return mark;
  }

  /**
   * Serial number of the next delivery receipt for this stream: above the last one, and as a rule the wall clock, so
   * that a receiver which lost this file is not taken for older than it was.
   */
  nextSerial(wallMs: number): number {
    this.#serial = Math.max(this.#serial + 1, Math.trunc(wallMs));
    return this.#serial;
  }

  /** Makes the mark durable. Refuses `state-failed` when it cannot: nothing is acknowledged then. */
  save(): void {
    for (const mark of this.#open) boundPieces(mark);
    const file: MarkFile = {
      v: 1,
      serial: this.#serial,
      open: this.#open.map((mark) => ({
        run: toHex(mark.run),
        blocks: mark.blocks.ranges(),
        records: mark.records.ranges(),
        rejects: mark.rejects,
      })),
      closed: this.#closed,
    };
    writeStateFile(this.#path, canonicalText(file));
  }

  #find(run: Uint8Array): RunMark | undefined {
    return this.#open.find((mark) => toHex(mark.run) === toHex(run));
  }

  /** A run that was closed here; when the list of those is full, also any run older than all of it. */
  #isOld(run: Uint8Array): boolean {
    if (this.#closed.includes(toHex(run))) return true;
    if (this.#closed.length < CLOSED_RUNS) return false;
    return runStartedMs(run) < Math.min(...this.#closed.map((closed) => runStartedMs(fromHex(closed, 16))));
  }
}

/** All marks of a receiver, one file a stream. */
export class StreamMarks {
  readonly #folder: string;
  readonly #marks = new Map<string, StreamMark>();

  /** Opens the marks in `folder`; refuses `file-invalid` for one that cannot be read, since it guards from replays. */
  constructor(folder: string) {
    this.#folder = folder;
    for (const name of listFiles(folder)) {
      const key = name.replace(/\.json$/, '');
      this.#marks.set(key, new StreamMark(join(folder, name), readMark(join(folder, name))));
    }
  }

  /** How many streams are known. */
  get size(): number {
    return this.#marks.size;
  }

  /** The mark of `stream` of `sender`. */
  of(sender: Uint8Array, stream: Uint8Array): StreamMark {
    const key = `${toHex(sender)}-${toHex(stream)}`;
    const known = this.#marks.get(key);
    if (known) return known;
    const mark = new StreamMark(join(this.#folder, `${key}.json`), null);
    this.#marks.set(key, mark);
    return mark;
  }
}

/**
 * Keeps a mark small where readers share a stream and each sees only a part. The oldest holes among the blocks are
 * closed: a block that comes so late is not taken, and its sender packs its records anew. The oldest records are
 * forgotten, never made up: a receipt must not speak of one that is not committed.
 */
function boundPieces(mark: RunMark): void {
  const blocks = mark.blocks.ranges();
  if (blocks.length > MAX_PIECES) mark.blocks.add(0, blocks.at(-MAX_PIECES / 2)!.first);
  const records = mark.records.ranges();
  if (records.length > MAX_PIECES) mark.records = new RangeSet(records.slice(-MAX_PIECES / 2));
}

function readMark(path: string): MarkFile {
  try {
    return check(markFile, parseJson(readFileBounded(path, LIMIT) ?? new Uint8Array(0), LIMIT));
  } catch (thrown) {
    if (thrown instanceof Problem) {
      throw new Problem('file-invalid', `${path} is not a stream mark: ${thrown.detail}`);
    }
    throw thrown;
  }
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.json'));
  } catch {
    return [];
  }
}
