/** A log that was checked, for looking into it: its records page by page, and each with its way to the root. */
import type { Engine } from '../../../protocol/engine/engine.ts';
import type { Category } from '../../../protocol/log-action.ts';
import { type LogEvent, parseLogRecord } from '../../../protocol/log-record.ts';
import { inclusionProof, leafHash, verifyInclusion } from '../../../protocol/merkle.ts';
import { Problem } from '../../../protocol/problem.ts';
import { toBase64 } from '../../../protocol/text.ts';
import { TILE_WIDTH } from '../../../protocol/tile.ts';
import { folderReader, heldIn, readEntries } from '../epoch-tiles.ts';
import type { SignedEpoch } from '../signed-epoch.ts';
import type { Position, RecordDetail, RecordQuery, RecordRow } from './messages.ts';
import { proofPath } from './proof-path.ts';
import type { RecordIndex } from './record-index.ts';

/** Rows of one page of records. */
export const PAGE_ROWS = 100;
/** Characters of a record in a row. */
const ROW_CHARACTERS = 240;

export interface OpenedEpoch {
  readonly epoch: SignedEpoch;
  readonly index: RecordIndex;
  /** Leaves that the epoch has, as it was signed or as the next one says. */
  readonly leaves: number;
}

/** The next records that a query wants, the newest first, and where to go on; null at the end. */
export function listRecords(
  epochs: readonly OpenedEpoch[],
  query: RecordQuery,
): { readonly rows: RecordRow[]; readonly after: Position | null } {
  const rows: RecordRow[] = [];
  const wanted = query.text.toLowerCase();
  let { epoch: number, index: below } = query.after ?? { epoch: epochs.length - 1, index: Infinity };
  for (; number >= 0; number--, below = Infinity) {
    const { epoch, index, leaves } = epochs[number]!;
    for (const bundle of epoch.folder.bundles) {
      const first = bundle * TILE_WIDTH;
      const end = Math.min(below, leaves, first + TILE_WIDTH);
      const chosen = leavesOf(index, query, first, end);
      const entries = chosen.length > 0 ? entriesIn(epochs[number]!, bundle) : undefined;
      for (const i of entries ? chosen : []) {
        const bytes = entries![i - first];
        if (!bytes) continue;
        const text = new TextDecoder().decode(bytes);
        if (!text.toLowerCase().includes(wanted)) continue;
        rows.push(rowOf(number, i, index.holds(i), text, bytes));
        if (rows.length === PAGE_ROWS) return { rows, after: { epoch: number, index: i } };
      }
    }
  }
  return { rows, after: null };
}

/** A record with its way to the newest root; refuses `log-missing` when it is not here, and what reading refuses. */
export function recordDetail(engine: Engine, epochs: readonly OpenedEpoch[], position: Position): RecordDetail {
  const { epoch: number, index: i } = position;
  const { epoch, index } = epochs[number]!;
  const bytes = entriesIn(epochs[number]!, Math.floor(i / TILE_WIDTH))?.[i % TILE_WIDTH];
  if (!bytes) throw new Problem('log-missing', `the record of leaf ${i} is not here`);
  const leaf = leafHash(engine, bytes);
  let problem: string | null = null;
  const attempt = <T>(action: () => T): T | null => {
    try {
      return action();
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown;
      problem ??= thrown.detail;
      return null;
    }
  };
  const event = attempt(() => parseLogRecord(bytes));
  if (event && event.i !== i) problem = `the record says that it is leaf ${event.i}`;
  const proof = attempt(() => {
    const head = epoch.heads.at(-1);
    if (!head || i >= head.size) throw new Problem('log-missing', 'no signed head covers it');
    const { size, root, seconds } = head;
    const hashes = inclusionProof(engine, folderReader(engine, epoch.folder, size), i, size);
    const steps = proofPath(engine, leaf, hashes, i, size).map(({ sibling, node, ...step }) => {
      return { ...step, sibling: toBase64(sibling), node: toBase64(node) };
    });
    attempt(() => verifyInclusion(engine, hashes, i, leaf, size, root));
    return { leaf: toBase64(leaf), steps, size, root: toBase64(root), seconds };
  });
  // By itself it may hold, and not beside the records around it.
  if (!index.holds(i)) problem ??= 'it was refused when the log was checked: see what does not hold';
  return { ...position, origin: epoch.origin, text: new TextDecoder().decode(bytes), problem, proof };
}

/** Leaves of a bundle that the index does not rule out, the newest first. */
function leavesOf(index: RecordIndex, query: RecordQuery, first: number, end: number): number[] {
  const leaves: number[] = [];
  for (let i = end - 1; i >= first; i--) if (mayBe(index, query, i)) leaves.push(i);
  return leaves;
}

function mayBe(index: RecordIndex, { category, onlyBroken, fromMs, toMs }: RecordQuery, i: number): boolean {
  // Nobody knows when that happened which does not hold, nor what it was.
  if (!index.holds(i)) return category === '';
  if (onlyBroken || (category !== '' && index.categoryOf(i) !== category)) return false;
  const t = index.timeOf(i);
  return t >= fromMs && t < toMs;
}

function entriesIn({ epoch: { folder }, leaves }: OpenedEpoch, bundle: number): Uint8Array[] | undefined {
  const width = Math.min(TILE_WIDTH, leaves - bundle * TILE_WIDTH);
  const tile = { level: 'entries', index: bundle, width } as const;
  if (width < 1 || !heldIn(folder, tile)) return undefined;
  try {
    return readEntries(folder, tile);
  } catch (thrown) {
    if (thrown instanceof Problem) return undefined; // it was told of when the log was checked
    throw thrown;
  }
}

function rowOf(epoch: number, index: number, holds: boolean, text: string, bytes: Uint8Array): RecordRow {
  const summary = holds ? summaryOf(parseLogRecord(bytes), JSON.parse(text) as { cat: Category }) : null;
  return { epoch, index, holds, summary, text: text.slice(0, ROW_CHARACTERS) };
}

function summaryOf({ act, t, res, src, obj }: LogEvent, { cat }: { cat: Category }): RecordRow['summary'] {
  const what = Object.entries(obj)
    .filter(([, value]) => typeof value !== 'object')
    .map(([name, value]) => `${name}=${shortened(String(value))}`);
  return { t, cat, words: [act, res, `${src.k} ${src.id}`, what.join('  ')] };
}

/** An id as it is, a hash by its beginning. */
function shortened(text: string): string {
  return text.length <= 32 ? text : `${text.slice(0, 16)}...`;
}
